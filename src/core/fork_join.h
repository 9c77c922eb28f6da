// The engine's only parallel region.
#pragma once

namespace heddle {

namespace detail {
void run_team(int threads, void* context, void (*fn)(void* context, int thread, int threads));
}

// Calls f(thread, threads) once on each of `threads` threads of an OpenMP team, which may come to
// have fewer; returns when all have returned. `f` must not throw.
template <class F>
void fork_join(int threads, const F& f) {
  detail::run_team(threads, const_cast<F*>(&f), [](void* context, int thread, int size) {
    (*static_cast<const F*>(context))(thread, size);
  });
}

}  // namespace heddle
