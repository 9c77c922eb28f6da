// A stack of its own for the signal handlers of a thread.
//
// oneDNN 3.2 points the stack register into the heap while it multiplies float32 (kernels named
// gemm:jit; its issue 4845, mended in 3.11.2). A handler that ran there would overwrite the heap
// below; one installed with SA_ONSTACK, as Python's are, takes this stack instead.
#pragma once

namespace heddle::cpu {

// Gives the calling thread, and the OpenMP threads of its teams of `threads`, such a stack, unless
// they have one. Two loads once that is done. Threads that OpenMP starts anew later go without;
// signals for the process reach them only while the main thread can take none.
void separate_signal_stacks(int threads);

}  // namespace heddle::cpu
