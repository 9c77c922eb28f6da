// A stack of its own for the signal handlers of a thread.
//
// oneDNN 3.2 points the stack register into the heap while it multiplies float32 (kernels named
// gemm:jit; its issue 4845, mended in 3.11.2). A handler that ran there would overwrite the heap
// below; one installed with SA_ONSTACK, as Python's are, takes this stack instead.
#pragma once

namespace heddle::cpu {

// Gives the calling thread such a stack, unless it has one. The pool's threads take no signals.
void separate_signal_stack();

}  // namespace heddle::cpu
