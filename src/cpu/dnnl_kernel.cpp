#include "cpu/dnnl_kernel.h"

#include <array>
#include <stdexcept>
#include <string>

#include "core/limits.h"
#include "cpu/scratch.h"
#include "heddle/memory.h"

namespace heddle::cpu::onednn {

const ::dnnl::engine& engine() {
  // Never destroyed: threads may still hold primitives when the process ends.
  static const auto* e = new ::dnnl::engine(::dnnl::engine::kind::cpu, 0);
  return *e;
}

::dnnl::stream& stream() {
  thread_local ::dnnl::stream s(engine());
  return s;
}

namespace {

memory::data_type type_of(int64_t dtype) {
  switch (static_cast<Dtype>(dtype)) {
    case Dtype::float32:
      return memory::data_type::f32;
    case Dtype::float16:
      return memory::data_type::f16;
    case Dtype::bfloat16:
      return memory::data_type::bf16;
    default:
      throw std::invalid_argument("[onednn] No primitive for dtype " +
                                  std::string(name_of(static_cast<Dtype>(dtype))) + ".");
  }
}

constexpr size_t working_memory = size_t{64} << 20;

}  // namespace

memory::desc desc_of(const Tensor& t) {
  return memory::desc(memory::dims(t.dims, t.dims + t.rank), type_of(t.dtype),
                      memory::dims(t.strides, t.strides + t.rank));
}

memory::desc any_layout(const Tensor& t) {
  return memory::desc(memory::dims(t.dims, t.dims + t.rank), type_of(t.dtype),
                      memory::format_tag::any);
}

primitive_attr with_user_scratchpad() {
  primitive_attr attributes;
  attributes.set_scratchpad_mode(::dnnl::scratchpad_mode::user);
  return attributes;
}

void require_memory() {
  if (can_map(working_memory)) return;
  throw OutOfMemoryError("[onednn] Unable to allocate the memory that oneDNN needs to start.");
}

void check(dnnl_status_t status, const char* what) {
  // Where memory ends, oneDNN may say no more than that it failed.
  if (status == dnnl_out_of_memory || (status == dnnl_runtime_error && !can_map(working_memory))) {
    throw OutOfMemoryError(std::string("[onednn] ") + what + " found too little memory.");
  }
  if (status != dnnl_success) {
    throw std::runtime_error(std::string("[onednn] ") + what + " failed with status " +
                             std::to_string(static_cast<int>(status)) + ".");
  }
}

void execute(Kernel& k, void* const* pointers) {
  constexpr size_t most = 8;
  std::array<dnnl_exec_arg_t, most> arguments;
  size_t count = k.arguments.size();
  size_t reordered = 0;
  for (auto& r : k.reorders) reordered += (r.bytes + 63) / 64 * 64;
  Scratch scratch(k.scratchpad + reordered);
  char* space = scratch.as<char>() + (k.scratchpad + 63) / 64 * 64;

  for (size_t i = 0; i < count; i++) {
    auto& a = k.arguments[i];
    void* p = a.id == DNNL_ARG_SCRATCHPAD ? scratch.data() : pointers[i];
    check(dnnl_memory_set_data_handle(a.object.get(), p), "Setting an argument");
    arguments[i] = {a.id, a.object.get()};
  }
  for (auto& r : k.reorders) {
    void* outside = pointers[r.argument];
    r.from.set_data_handle(r.is_output ? space : outside);
    r.to.set_data_handle(r.is_output ? outside : space);
    arguments[r.argument].memory = r.is_output ? r.from.get() : r.to.get();
    space += (r.bytes + 63) / 64 * 64;
    if (!r.is_output) r.primitive.execute(stream(), r.from, r.to);
  }
  check(dnnl_primitive_execute(k.primitive.get(), stream().get(), static_cast<int>(count),
                               arguments.data()),
        "A primitive");
  for (auto& r : k.reorders) {
    if (r.is_output) r.primitive.execute(stream(), r.from, r.to);
  }
}

Cache& cache() {
  thread_local Cache c;
  return c;
}

}  // namespace heddle::cpu::onednn
