// The members of an array that show its graph and its memory, and give it memory: what primitives
// of a program's own use.
#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "core/graph_lock.h"
#include "core/node.h"
#include "heddle/allocator.h"
#include "heddle/array.h"

namespace heddle {
namespace {

struct Deletion {
  allocator::Buffer buffer;
  allocator::Deleter deleter;
};

// The block behind `data`, owned from now on; with a deleter it is the deleter's.
BufferRef take(allocator::Data& data) {
  if (!data.buffer().ptr()) throw std::invalid_argument("[set_data] There is no memory.");
  if (data.is_owned()) return BufferRef(static_cast<Buffer*>(data.take().ptr()));
  auto* deletion = new Deletion{data.buffer(), data.deleter()};
  data.take();
  auto release = [](void* context) {
    auto* d = static_cast<Deletion*>(context);
    if (d->deleter) d->deleter(d->buffer);
    delete d;
  };
  const size_t bytes = allocator::allocator().size(deletion->buffer);
  return wrap_memory(deletion->buffer.raw_ptr(), bytes, true, release, deletion);
}

// After a node got memory. All elements must lie within the buffer: kernels trust strides. Results
// of a running op are finished by evaluation; other nodes are, as soon as they have memory.
void accept_memory(Node* node, const char* member) {
  const int64_t itemsize = static_cast<int64_t>(size_of(node->dtype));
  const int64_t bytes = static_cast<int64_t>(node->buffer->bytes);
  int64_t first = node->data - static_cast<const char*>(node->buffer->data);
  int64_t end = first + itemsize;
  bool fits = node->strides.size() == node->shape.size();
  for (size_t i = 0; fits && i < node->shape.size(); i++) {
    int64_t reach = 0;
    fits = !__builtin_mul_overflow((node->shape[i] - 1) * itemsize, node->strides[i], &reach) &&
           !__builtin_add_overflow(reach < 0 ? first : end, reach, reach < 0 ? &first : &end);
  }
  if (node->size() > 0 && !(fits && first >= 0 && end <= bytes)) {
    const std::string strides = to_string(node->strides);
    node->buffer = BufferRef();
    node->data = nullptr;
    throw std::invalid_argument(fmt::format(
        "[{}] {} bytes do not hold an array of shape {} with strides {} and {} bytes an "
        "element.",
        member, bytes, to_string(node->shape), strides, itemsize));
  }
  if (!node->op && !node->placeholder) node->finish();
}

Node* with_memory(Node* node, const char* member) {
  if (node && node->buffer) return node;
  throw std::invalid_argument(
      fmt::format("[{}] The array has no memory yet: evaluate it first.", member));
}

}  // namespace

// Constructed first, so that what throws here leaves no node behind.
Array::Array(allocator::Data data, Shape shape, Dtype dtype) : Array() {
  check_shape("array", shape, size_of(dtype));
  *this = adopt(new Node(std::move(shape), dtype));
  if (allocator::allocator().size(data.buffer()) < nbytes()) {
    throw std::invalid_argument(fmt::format(
        "[array] {} bytes were given for an array of shape {} and {} bytes.",
        allocator::allocator().size(data.buffer()), to_string(this->shape()), nbytes()));
  }
  set_data(std::move(data));
}

Array Array::unsafe_weak_copy(const Array& other) {
  const Node* source = with_memory(other.node_, "unsafe_weak_copy");
  auto* node = new Node(source->shape, source->dtype);
  Array copy = adopt(node);
  const Buffer& b = *source->buffer.get();
  node->set_data(wrap_memory(b.data, b.bytes, b.writable, nullptr, nullptr), source->strides,
                 source->data - static_cast<const char*>(b.data));
  node->finish();
  return copy;
}

bool Array::has_primitive() const { return static_cast<bool>(node_->op); }
const std::vector<Array>& Array::inputs() const { return node_->inputs; }
int Array::output_index() const { return node_->output_index; }

std::vector<Array> Array::outputs() const {
  return walk_graph([&](Unfinished& unfinished) {
    std::vector<Array> all;
    if (!node_->available() && !Unfinished::is_own(node_) && unfinished.has(node_)) return all;
    const bool several = node_->siblings && node_->op;
    for (size_t k = 0; several && k < node_->siblings->results.size(); k++) {
      all.push_back(sibling(node_, static_cast<int>(k)));
    }
    return several ? all : std::vector<Array>{*this};
  });
}

void Array::detach() {
  if (!is_available()) {
    throw std::invalid_argument(
        "[detach] The array is not computed yet, and its graph says how: evaluate it first.");
  }
  Arrays dropped = std::move(node_->inputs);
  node_->inputs.clear();
  node_->op.reset();
}

bool Array::is_tracer() const { return node_->tracer && in_tracing(); }
void Array::set_tracer(bool is_tracer) { node_->tracer = is_tracer; }

size_t Array::data_size() const {
  const Node* n = with_memory(node_, "data_size");
  if (n->size() == 0) return 0;
  int64_t reach = 1;
  for (size_t i = 0; i < n->shape.size(); i++) {
    reach += (n->shape[i] - 1) * std::abs(n->strides[i]);
  }
  return static_cast<size_t>(reach);
}

Array::Layout Array::layout() const {
  const Node* n = with_memory(node_, "layout");
  int64_t apart = 1;  // elements that do not share memory, if none overlap otherwise
  bool rows = true, columns = true;
  int64_t row_step = 1, column_step = 1;
  const size_t rank = n->shape.size();
  for (size_t i = 0; i < rank; i++) {
    const size_t from_end = rank - 1 - i;
    columns &= n->shape[i] == 1 || n->strides[i] == column_step;
    rows &= n->shape[from_end] == 1 || n->strides[from_end] == row_step;
    column_step *= n->shape[i];
    row_step *= n->shape[from_end];
    if (n->strides[i] > 0) apart *= n->shape[i];
  }
  const bool empty = n->size() == 0;
  return {empty || apart == static_cast<int64_t>(data_size()), empty || rows, empty || columns};
}

int64_t Array::offset() const {
  const Node* n = with_memory(node_, "offset");
  return n->data - static_cast<const char*>(n->buffer->data);
}
allocator::Buffer Array::buffer() const {
  return allocator::Buffer(with_memory(node_, "buffer")->buffer.get());
}
bool Array::is_donatable() const { return node_->donatable(); }

void Array::set_data(allocator::Data data) {
  node_->set_data(take(data));
  accept_memory(node_, "set_data");
}

void Array::set_data(allocator::Data data, Strides strides, int64_t offset) {
  node_->set_data(take(data), std::move(strides), offset);
  accept_memory(node_, "set_data");
}

void Array::copy_shared_buffer(const Array& other) {
  const Node* source = with_memory(other.node_, "copy_shared_buffer");
  node_->share(*source, source->strides);
  accept_memory(node_, "copy_shared_buffer");
}

void Array::copy_shared_buffer(const Array& other, const Strides& strides, int64_t offset) {
  node_->share(*with_memory(other.node_, "copy_shared_buffer"), strides, offset);
  accept_memory(node_, "copy_shared_buffer");
}

}  // namespace heddle
