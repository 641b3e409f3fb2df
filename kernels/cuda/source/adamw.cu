#include "act.cuh"

// What an update needs for every element, in the form in which it needs it.
struct adamw {
	float scale, decay, rate, beta1, beta2, rest1, rest2, root, epsilon;
};

// adamw_of takes the step's numbers: scale undoes that of the loss and clips, decay = lr*decay, rate = lr/correction1 and
// root = 1/sqrt(correction2).
static __device__ inline adamw adamw_of(float norm, const float *step, float beta1, float beta2, float epsilon, float decay,
	float clip) {
	float lr = step[STEP_LEARNING_RATE], inverse = step[STEP_INVERSE_SCALE];
	float clipped = clip > 0 ? fminf(1, clip / fmaf(norm, inverse, 1e-6f)) : 1;
	return {inverse * clipped, lr * decay, lr / step[STEP_CORRECTION1], beta1, beta2, 1 - beta1, 1 - beta2,
		1 / sqrtf(step[STEP_CORRECTION2]), epsilon};
}

// update is one element's: w less w*decay and less rate*m/(sqrt(v)*root + epsilon). Both are taken off at once, since the decay
// of one step is so small a part of w that it would be lost in the rounding of 1 - decay.
static __device__ inline void update(const adamw &k, float *w, float *m, float *v, float grad) {
	float g = grad * k.scale;
	*m = fmaf(k.beta1, *m, k.rest1 * g);
	*v = fmaf(k.beta2, *v, k.rest2 * g * g);
	*w -= fmaf(k.decay, *w, k.rate * *m / fmaf(sqrtf(*v), k.root, k.epsilon));
}

static __device__ inline bool finite(float x) { return x - x == 0; }

// One update of n weights. Nothing is written where the loss or the norm is not finite. wide: all four lie at multiples of 16
// bytes.
extern "C" __global__ void __launch_bounds__(256) adamw_update(float *__restrict__ weights, float *__restrict__ m,
	float *__restrict__ v, const float *__restrict__ grads, const float *norm, const float *loss, const float *step, int64_t n,
	float beta1, float beta2, float epsilon, float decay, float clip, int wide) {
	using Pack = pack<float>;
	if (!finite(*norm) || !finite(*loss)) return;
	adamw k = adamw_of(*norm, step, beta1, beta2, epsilon, decay, clip);
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += stride) {
		Pack g = ((const Pack *)grads)[i], p = ((const Pack *)m)[i], q = ((const Pack *)v)[i], w = ((const Pack *)weights)[i];
#pragma unroll
		for (int j = 0; j < Pack::size; j++) update(k, &w.at[j], &p.at[j], &q.at[j], g.at[j]);
		((Pack *)m)[i] = p;
		((Pack *)v)[i] = q;
		((Pack *)weights)[i] = w;
	}
	for (int64_t i = packs * Pack::size + first; i < n; i += stride) update(k, &weights[i], &m[i], &v[i], grads[i]);
}
KERNEL(adamw_update)
