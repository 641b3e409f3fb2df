package baseline

import "sync"

// parallel splits 0..n into one range a thread and waits for all of them.
func parallel(n, threads int, work func(lo, hi int)) {
	if threads <= 1 || n < 2*threads {
		work(0, n)
		return
	}
	var group sync.WaitGroup
	for t := range threads {
		group.Go(func() { work(n*t/threads, n*(t+1)/threads) })
	}
	group.Wait()
}
