#include "act.cuh"
#include "philox.cuh"

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
// of one step is so small a part of w that it would be lost in the rounding of 1 - decay. The decay is that of a finite
// number, so that an infinite w stays: 0*w and inf-inf are no numbers.
static __device__ inline void update(const adamw &k, float *w, float *m, float *v, float grad) {
	float g = grad * k.scale;
	*m = fmaf(k.beta1, *m, k.rest1 * g);
	*v = fmaf(k.beta2, *v, k.rest2 * g * g);
	const float most = 3.402823466e38f;
	*w -= fmaf(k.decay, fminf(fmaxf(*w, -most), most), k.rate * *m / fmaf(sqrtf(*v), k.root, k.epsilon));
}

static __device__ inline bool finite(float x) { return x - x == 0; }

// round_by is kernels/ref's RoundByChance: x to one of the bf16 numbers around it by the upper half of a random word.
static __device__ inline float round_by(float x, uint32_t word) {
	uint32_t bits = __float_as_uint(x), magnitude = bits & 0x7fffffff;
	if (magnitude < 0x7f7f0000) bits += word >> 16;
	if (magnitude > 0x7f800000) bits |= 0x400000;
	return __uint_as_float(bits & 0xffff0000);
}

// The tensors of an update.
struct adamw_tensors {
	float *weights, *m, *v;
	const float *grads;
	int64_t n;
};

// adamw_elements updates n weights, and rounds them where rounds says so. wide: all four lie at multiples of 16 bytes.
template <bool rounds>
static __device__ inline void adamw_elements(const adamw &k, const adamw_tensors &t, const philox &random, int wide) {
	using Pack = pack<float>;
	int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (int64_t)gridDim.x * blockDim.x;
	int64_t packs = wide ? t.n / Pack::size : 0;
	for (int64_t i = first; i < packs; i += stride) {
		Pack g = ((const Pack *)t.grads)[i], p = ((const Pack *)t.m)[i], q = ((const Pack *)t.v)[i], w = ((const Pack *)t.weights)[i];
		philox_block block = {};
		if (rounds) block = philox_words(random, i);
#pragma unroll
		for (int j = 0; j < Pack::size; j++) {
			update(k, &w.at[j], &p.at[j], &q.at[j], g.at[j]);
			if (rounds) w.at[j] = round_by(w.at[j], block.word[j]);
		}
		((Pack *)t.m)[i] = p;
		((Pack *)t.v)[i] = q;
		((Pack *)t.weights)[i] = w;
	}
	for (int64_t i = packs * Pack::size + first; i < t.n; i += stride) {
		float w = t.weights[i];
		update(k, &w, &t.m[i], &t.v[i], t.grads[i]);
		t.weights[i] = rounds ? round_by(w, philox_word(random, i)) : w;
	}
}

// One update. Nothing is written where the loss or the norm is not finite.
extern "C" __global__ void __launch_bounds__(256) adamw_update(float *__restrict__ weights, float *__restrict__ m,
	float *__restrict__ v, const float *__restrict__ grads, const float *norm, const float *loss, const float *step, int64_t n,
	float beta1, float beta2, float epsilon, float decay, float clip, int wide) {
	if (!finite(*norm) || !finite(*loss)) return;
	adamw_elements<false>(adamw_of(*norm, step, beta1, beta2, epsilon, decay, clip), {weights, m, v, grads, n}, {}, wide);
}
KERNEL(adamw_update)

// The same, with weights rounded to bf16 by the words of seed and salt.
extern "C" __global__ void __launch_bounds__(256) adamw_update_rounded(float *__restrict__ weights, float *__restrict__ m,
	float *__restrict__ v, const float *__restrict__ grads, const float *norm, const float *loss, const float *step, int64_t n,
	float beta1, float beta2, float epsilon, float decay, float clip, int wide, const int32_t *seed, uint32_t salt) {
	if (!finite(*norm) || !finite(*loss)) return;
	adamw_elements<true>(adamw_of(*norm, step, beta1, beta2, epsilon, decay, clip), {weights, m, v, grads, n}, philox_of(seed, salt, 0),
		wide);
}
KERNEL(adamw_update_rounded)
