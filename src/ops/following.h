// Shapeless traces: what is traced now shall mean the same for inputs of other sizes. Ops that take
// a size from one array to give it to another say so here, instead of keeping the number.
#pragma once

#include "core/op.h"

namespace heddle {

// While one lives, this thread traces a function that is to serve other sizes.
class FollowingScope {
 public:
  FollowingScope();
  ~FollowingScope();
  FollowingScope(const FollowingScope&) = delete;
  FollowingScope& operator=(const FollowingScope&) = delete;

  // Whether a caller has asked for a size that may be another: numbers computed from it are not
  // seen.
  bool size_was_read() const { return size_was_read_; }

 private:
  friend void size_read(const Array& a);
  FollowingScope* outer_;
  bool size_was_read_ = false;
};

// Says that a caller asks for a size of `a`.
void size_read(const Array& a);

// Whether `a` may have other sizes when what is traced now runs.
bool may_change_size(const Array& a);

// The shape of `a` for a reshape back to it: the size of an axis that may be another when the trace
// runs is left to be inferred.
Shape shape_of_trace(const Array& a, int axis = 0);

// The sizes of a gather's slices that take all axes whole: -1 where the size may be another.
Shape whole_sizes(const Array& a);

// `x` broadcast to the shape that `like` has now or, in a shapeless trace, when it runs.
Array broadcast_like(const Array& x, const Array& like, const Stream& s);

// `x`, which has the shape of `like`: stated in a shapeless trace, where at another size it might
// not.
Array exactly_like(const Array& x, const Array& like, const Stream& s);

// Inputs: an array, and those whose common shape it takes; of the last `kept` axes it keeps its
// own. One that is named twice has the shape of the result: nothing may stretch it at another size.
// Named three times, it is not to stretch the first either, which has its shape.
struct BroadcastLike {
  int kept;
  void fields(auto& v) { v("kept", kept); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
};

// Matrices `x` repeated for each of the stack that `like` is, of its rank; see BroadcastLike.
Array stack_like(const Array& x, const Array& like, const Stream& s);

}  // namespace heddle
