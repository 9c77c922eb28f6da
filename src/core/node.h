// The node behind an array. Engine-internal: ops and transforms read graphs through it, evaluation
// fills it.
#pragma once

#include <atomic>

#include "core/buffer.h"
#include "core/op.h"
#include "core/view.h"

namespace heddle {

struct Node;

// The results of one op with several. A dead one has no node, but says what it was; guarded by a
// global lock, because a result may die on any thread.
struct Siblings {
  struct Result {
    Node* node;
    Aval dead = {};
  };
  std::atomic<int> references{0};
  std::vector<Result> results;
};

struct Node {
  std::atomic<int> references{1};
  std::atomic<uint8_t> state{0};  // of these:
  static constexpr uint8_t is_evaluated = 1, is_awaited = 2;
  Dtype dtype = Dtype::float32;
  bool tracer = false;        // depends on the input of a running transformation
  bool placeholder = false;   // stands for an input of a trace; has no value
  bool pointwise = false;     // made by an op of the pointwise class
  uint16_t output_index = 0;  // among siblings
  uint32_t mark = 0;          // scratch of a walk, 0 between walks (guarded by the graph lock)
  uint32_t claim = 0;  // of the evaluation that computes it (core/graph_lock.h; guarded likewise)
  int stream = 0;
  Shape shape;

  // While lazy.
  OpRef op;
  Arrays inputs;
  Siblings* siblings = nullptr;

  // Once available.
  Strides strides;
  BufferRef buffer;
  char* data = nullptr;

  Node(Shape s, Dtype t) : dtype(t), shape(std::move(s)) {}
  ~Node();

  static void* operator new(size_t bytes);
  static void operator delete(void* p);

  int64_t size() const { return element_count(shape); }
  size_t nbytes() const { return static_cast<size_t>(size()) * size_of(dtype); }
  bool available() const { return state.load(std::memory_order_acquire) & is_evaluated; }
  View view() const { return View{data, dtype, shape, strides}; }
  bool row_contiguous() const { return is_row_contiguous(shape, strides); }

  // Gives the node its memory. `strides` defaults to row-major.
  void set_data(BufferRef b, int64_t byte_offset = 0);
  void set_data(BufferRef b, Strides s, int64_t byte_offset = 0);
  void allocate_dense() { set_data(allocate(nbytes())); }
  // A view of `source`, `element_offset` elements from its first one.
  void share(const Node& source, Strides s, int64_t element_offset = 0);

  // Available from now on; true if another thread waits for that. What is read of an available node
  // must have been written before.
  bool set_available() {
    return state.fetch_or(is_evaluated, std::memory_order_acq_rel) & is_awaited;
  }
  // Whoever makes it available will be told that a thread waits; false if it is available already.
  bool await() { return !(state.fetch_or(is_awaited, std::memory_order_acq_rel) & is_evaluated); }
  // For nodes that nobody else knows: available, without op and inputs unless a trace needs them.
  void finish();
  // True if nothing but one consumer holds this node and its memory, so that the memory may be
  // reused. Memory of others never is: they see it too. It stays true while that consumer is
  // computed: who could take a reference has to go through it, and waits (core/graph_lock.h).
  bool donatable() const {
    return references.load(std::memory_order_acquire) == 1 && buffer.unique() &&
           buffer->capacity != 0;
  }
};

// The results of the op with several that `node` is a result of; empty where they have died.
Arrays living_siblings(const Node* node);
// Result k of them, made again if it has died.
Array sibling(Node* node, int k);
// What that is or was.
Aval sibling_aval(const Node* node, int k);

// The node of an array, which must be one: cheaper than the array's own functions where several
// things are asked. Throws std::invalid_argument as they do.
[[noreturn]] void refuse_no_array();
inline const Node& node_of(const Array& a) {
  if (!a) [[unlikely]]
    refuse_no_array();
  return *a.node();
}

// Drops one reference; the graph below is freed without recursion.
void release_node(Node* node);

// True while any transformation on this thread traces; nodes made then from tracers keep their
// graph.
bool in_tracing();
class TracingScope {
 public:
  TracingScope();
  ~TracingScope();
};

}  // namespace heddle
