// Operations of a program's own: the way in which MLX is extended in C++, under its names.
//
//   class Axpby : public Primitive {
//    public:
//     Axpby(Stream stream, float alpha, float beta) : Primitive(stream), ... {}
//     void eval_cpu(const std::vector<Array>& inputs, std::vector<Array>& outputs) override;
//     const char* name() const override { return "Axpby"; }
//     ...
//   };
//   Array z(shape, dtype, std::make_shared<Axpby>(to_stream({}), alpha, beta), {x, y});
//
// Such an array is a node of the graph like any other: lazy, and subject to every transformation
// by the rules that its primitive states. What is missing is refused by name, where it is needed.
// Files do not hold it. (An operation with rules that is made of others needs no primitive:
// heddle/transforms.h has custom_function.)
#pragma once

#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "heddle/allocator.h"
#include "heddle/array.h"
#include "heddle/export.h"

namespace heddle {

// Immutable once a graph holds it: graphs share it, transformations copy the graph and keep it, and
// it dies on any thread.
class Primitive {
 public:
  // Thrown by the rules that a class inherits: it has none.
  struct NoRule : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
  };

  // Work of the stream belongs to its thread (heddle/device.h).
  explicit Primitive(Stream stream);
  virtual ~Primitive();
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  const Stream& stream() const { return stream_; }
  const Device& device() const { return stream_.device; }

  // Computes. The inputs are evaluated and lie as raw_data() and strides() say; data() gives
  // row-major elements. Each output has its shape and dtype, and must be given memory
  // (Array::set_data, or an input's by copy_shared_buffer) and its elements. Runs on whichever
  // thread evaluates, on several at once if they do, and holds no lock of the engine's: others go
  // on, but for those that ask for its results. What it throws comes out of eval as it is, and the
  // graph stays as it was. It may evaluate arrays, but none that depends on its results.
  virtual void eval_cpu(const std::vector<Array>& inputs, std::vector<Array>& outputs) = 0;
  // Never called: there is no GPU.
  virtual void eval_gpu(const std::vector<Array>& inputs, std::vector<Array>& outputs);

  // Tangents of all outputs, from those of the inputs `argnums`; the other inputs are constant.
  // Without this rule it is derived from vjp, which is linear in the cotangents.
  virtual std::vector<Array> jvp(const std::vector<Array>& primals,
                                 const std::vector<Array>& tangents,
                                 const std::vector<int>& argnums);
  // Cotangents of the inputs `argnums`, in that order and each of its input's shape, from those of
  // all outputs.
  virtual std::vector<Array> vjp(const std::vector<Array>& primals,
                                 const std::vector<Array>& cotangents,
                                 const std::vector<int>& argnums,
                                 const std::vector<Array>& outputs);
  // All examples at once: input i has one along axes[i], or the same for all where that is -1.
  // Gives the outputs and the axis of each along which its examples lie (-1: all alike).
  virtual std::pair<std::vector<Array>, std::vector<int>> vmap(const std::vector<Array>& inputs,
                                                               const std::vector<int>& axes);

  virtual const char* name() const = 0;      // in messages and pictures of graphs
  virtual void print(std::ostream& stream);  // the name, unless it is said otherwise
  // True if `other`, which has the same class, computes the same of the same inputs: compiled
  // functions compute it once then.
  virtual bool is_equivalent(const Primitive& other) const;
  // Shapes of the outputs for inputs of other sizes than the arrays were made with: a shapeless
  // compiled function asks. Without it such a function is traced again for other sizes.
  virtual std::vector<Shape> output_shapes(const std::vector<Array>& inputs);

 private:
  Stream stream_;
};

// Whether the calling thread runs an eval_cpu.
bool is_in_eval_cpu();

// A primitive with one output.
class UnaryPrimitive : public Primitive {
 public:
  explicit UnaryPrimitive(Stream stream) : Primitive(stream) {}

  virtual void eval_cpu(const std::vector<Array>& inputs, Array& output) = 0;
  virtual void eval_gpu(const std::vector<Array>& inputs, Array& output);
  void eval_cpu(const std::vector<Array>& inputs, std::vector<Array>& outputs) override {
    eval_cpu(inputs, outputs[0]);
  }
  void eval_gpu(const std::vector<Array>& inputs, std::vector<Array>& outputs) override {
    eval_gpu(inputs, outputs[0]);
  }
};

// An operation of the engine's as a primitive: what Array::primitive() gives for its nodes, and a
// way to make it by name.
class BuiltInPrimitive : public Primitive {
 public:
  // `kind` and attributes as .mlxfn files hold them (heddle/export.h): "Reduce" with the kind of
  // the reduction and its axes. Throws std::invalid_argument for a kind that they do not know, and
  // for other attributes than it has.
  static std::shared_ptr<BuiltInPrimitive> make(const std::string& kind,
                                                std::vector<ExportValue> attributes, Stream stream);

  const std::string& kind() const { return kind_; }
  // As MLX calls it: "Sum" for such a reduction. For operations that MLX composes of others,
  // heddle's name, and no attributes.
  const char* name() const override { return name_.c_str(); }
  const std::vector<ExportValue>& attributes() const { return attributes_; }

  // The operation's results for these inputs, as its public function gives them.
  virtual std::vector<Array> results(const std::vector<Array>& inputs,
                                     const std::vector<Dtype>& dtypes) const = 0;

  void eval_cpu(const std::vector<Array>& inputs, std::vector<Array>& outputs) override;
  std::vector<Array> jvp(const std::vector<Array>& primals, const std::vector<Array>& tangents,
                         const std::vector<int>& argnums) override;
  std::vector<Array> vjp(const std::vector<Array>& primals, const std::vector<Array>& cotangents,
                         const std::vector<int>& argnums,
                         const std::vector<Array>& outputs) override;
  std::pair<std::vector<Array>, std::vector<int>> vmap(const std::vector<Array>& inputs,
                                                       const std::vector<int>& axes) override;
  bool is_equivalent(const Primitive& other) const override;
  std::vector<Shape> output_shapes(const std::vector<Array>& inputs) override;

 protected:
  BuiltInPrimitive(std::string kind, std::vector<ExportValue> attributes, Stream stream);

 private:
  std::string kind_, name_;
  std::vector<ExportValue> attributes_;
};

}  // namespace heddle
