// Stands before the toolkit's cuda.h on the include path. gorgonia.org/cu v0.9.6 was written for CUDA 12 and older: the calls
// whose unsuffixed names got other arguments in CUDA 13 are declared as they were, and their old entry points, which every
// driver still has, are the ones called. With CUDA 12 headers this changes nothing.
#include_next <cuda.h>
#if CUDA_VERSION >= 13000
#ifdef __cplusplus
extern "C" {
#endif
#undef cuCtxCreate
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#undef cuGraphAddDependencies
#undef cuGraphRemoveDependencies
#undef cuGraphGetEdges
#undef cuGraphNodeGetDependencies
#undef cuGraphNodeGetDependentNodes
CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);
CUresult cuMemAdvise(CUdeviceptr p, size_t bytes, CUmem_advise advice, CUdevice device);
CUresult cuMemPrefetchAsync(CUdeviceptr p, size_t bytes, CUdevice device, CUstream stream);
CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n);
CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n);
CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *n);
CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *dependencies, size_t *n);
CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *dependents, size_t *n);
#define cuCtxCreate cuCtxCreate_v2
#ifdef __cplusplus
}
#endif
#endif
