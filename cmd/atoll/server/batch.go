package server

import (
	"context"
	"sync/atomic"
	"time"
)

// item is one document of a request.
type item struct {
	request *request
	index   int
}

// batch is documents that are classified together.
type batch struct {
	items  []item
	tokens int
	full   bool // no further document fits
}

// classifyBatch hands the predictions of b's documents to their requests. When the classifier fails, each request is
// tried alone, so that one request's documents cannot fail another's.
func (q *queue) classifyBatch(ctx context.Context, c Classifier, b *batch) {
	groups := b.byRequest()
	for r := range groups {
		q.metrics.queueSeconds.Observe(time.Since(r.arrived).Seconds())
	}
	err := q.classifyItems(ctx, c, b.items, groups)
	if err == nil {
		return
	}
	for r, items := range groups {
		alone := err
		if len(groups) > 1 && ctx.Err() == nil && r.ctx.Err() == nil {
			alone = q.classifyItems(ctx, c, items, map[*request][]item{r: items})
		}
		if ctx.Err() != nil {
			alone = errStopped
		}
		if alone != nil {
			q.remove(r)
			r.finish(alone)
		}
	}
}

// byRequest gives the items of each request in the batch.
func (b *batch) byRequest() map[*request][]item {
	groups := map[*request][]item{}
	for _, i := range b.items {
		groups[i.request] = append(groups[i.request], i)
	}
	return groups
}

// classifyItems classifies items, which are those of groups, in one call. It stops when every client has gone.
func (q *queue) classifyItems(ctx context.Context, c Classifier, items []item, groups map[*request][]item) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var clients atomic.Int64
	clients.Store(int64(len(groups)))
	for r := range groups {
		defer context.AfterFunc(r.ctx, func() {
			if clients.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	documents := make([][]int32, len(items))
	for n, i := range items {
		documents[n] = i.request.documents[i.index]
	}
	began := time.Now()
	predictions, err := c.ClassifyTokens(ctx, documents)
	if err != nil {
		return err
	}
	tokens := 0
	for n, i := range items {
		i.request.predictions[i.index] = predictions[n]
		tokens += predictions[n].Tokens
		if i.request.answered++; i.request.answered == len(i.request.documents) {
			i.request.finish(nil)
		}
	}
	q.metrics.batchDone(len(items), tokens, time.Since(began))
	return nil
}
