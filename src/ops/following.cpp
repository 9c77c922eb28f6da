#include "ops/following.h"

#include <algorithm>
#include <utility>

#include "core/node.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

thread_local FollowingScope* following = nullptr;

}  // namespace

FollowingScope::FollowingScope() : outer_(std::exchange(following, this)) {}
FollowingScope::~FollowingScope() { following = outer_; }

bool may_change_size(const Array& a) { return following && a.node()->tracer; }

void size_read(const Array& a) {
  if (!may_change_size(a)) return;
  for (FollowingScope* s = following; s; s = s->outer_) s->size_was_read_ = true;
}

Shape shape_of_trace(const Array& a, int axis) {
  Shape shape = a.shape();
  if (may_change_size(a) && a.ndim() > 0 && a.size() > 0) shape[static_cast<size_t>(axis)] = -1;
  return shape;
}

Shape whole_sizes(const Array& a) {
  return may_change_size(a) ? Shape(a.shape().size(), -1) : a.shape();
}

namespace {

// `a` has the last dimensions of `whole`: it is broadcast along none of its own. A batch of vmap's
// comes in front.
bool is_unstretched(const Array& a, const Shape& whole) {
  return std::equal(a.shape().rbegin(), a.shape().rend(), whole.rbegin(),
                    whole.rbegin() + std::min<long>(a.ndim(), static_cast<long>(whole.size())));
}

}  // namespace

void BroadcastLike::check(const Arrays& in) const {
  require_inputs(*this, in, 1, any_number);
  if (in.size() < 3) return;
  const Shape whole = infer(in)[0].shape;
  if (is_unstretched(in[1], whole) && (in.size() < 4 || is_unstretched(in[0], whole))) return;
  refuse("broadcast_to", "Cannot broadcast array of shape {} into shape {}.",
         to_string(in[0].shape()), to_string(in[1].shape()));
}

Avals BroadcastLike::infer(const Arrays& in) const {
  auto stacked = [&](const Array& a) {
    return Shape(a.shape().begin(), a.shape().end() - std::min(kept, a.ndim()));
  };
  Shape shape = stacked(in[0]);
  for (size_t i = 1; i < in.size(); i++) shape = broadcast_shapes(shape, stacked(in[i]));
  for (int i = std::max(in[0].ndim() - kept, 0); i < in[0].ndim(); i++) {
    shape.push_back(in[0].shape(i));
  }
  return {{std::move(shape), in[0].dtype()}};
}

std::optional<Arrays> BroadcastLike::vjp(const Pull& p) const {
  Arrays out;
  for (int k : p.wanted) {
    const Array& x = p.in[static_cast<size_t>(k)];
    out.push_back(k == 0 ? sum_to_like(p.g[0], x, p.stream) : zeros_like(x));
  }
  return out;
}

std::optional<Arrays> BroadcastLike::jvp(const Push& p) const {
  for (size_t k = 0; k < p.wanted.size(); k++) {
    if (p.wanted[k] != 0) continue;
    Arrays moved = p.in;
    moved[0] = p.t[k];
    return Arrays{apply(*this, std::move(moved), p.stream)};
  }
  return Arrays{zeros_like(p.out[0])};
}

std::optional<Batched> BroadcastLike::vmap(const Batch& b) const {
  return Batched{{apply(*this, align_batches(b.in, b.axes), b.stream)}, {0}};
}

Array broadcast_like(const Array& x, const Array& like, const Stream& s) {
  if (!may_change_size(like)) return broadcast_to(x, like.shape(), s);
  if (x.same_as(like)) return x;
  return apply(make_op<BroadcastLike>(0), {x, like, like}, to_stream(s));
}

Array exactly_like(const Array& x, const Array& like, const Stream& s) {
  if (!may_change_size(like) || x.same_as(like)) return x;
  return apply(make_op<BroadcastLike>(0), {x, like, like, like}, to_stream(s));
}

Array stack_like(const Array& x, const Array& like, const Stream& s) {
  if (may_change_size(x) || may_change_size(like)) {
    return apply(make_op<BroadcastLike>(2), {x, like}, to_stream(s));
  }
  Shape shape(like.shape().begin(), like.shape().end() - 2);
  shape.push_back(x.shape(-2));
  shape.push_back(x.shape(-1));
  return broadcast_to(x, shape, s);
}

}  // namespace heddle
