// What the stub's calls mean, and which ops are written as which calls.
#include "convert/recorder.h"
#include "convert/stub/stub.h"
#include "heddle/ops.h"
#include "ops/reduce.h"

namespace heddle::convert::stub {
namespace {

class StubDialect final : public TableDialect {
 public:
  StubDialect() {
    // Readers: a few lines over public ops. They may throw what those throw.
    readers["Add"] = {2, 2,
                      [](const Reading& r) { return Arrays{add(r.in[0], r.in[1], r.stream)}; }};
    readers["Mul"] = {
        2, 2, [](const Reading& r) { return Arrays{multiply(r.in[0], r.in[1], r.stream)}; }};
    readers["Scale"] = {
        1, 1, [](const Reading& r) {  // an attribute with a default
          const auto factor = static_cast<float>(r.get<double>("factor", 1.0));
          return Arrays{multiply(r.in[0], Array(factor, r.in[0].dtype()), r.stream)};
        }};
    readers["Sum"] = {1, 1, [](const Reading& r) {
                        const auto axes = r.get<std::vector<int64_t>>("axes", {});
                        return Arrays{sum(r.in[0], std::vector<int>(axes.begin(), axes.end()),
                                          r.get<int64_t>("keep", 0) != 0, r.stream)};
                      }};
    readers["Split"] = {1, 1, [](const Reading& r) {  // as many results as the call has
                          return split(r.in[0], r.call.output_count, 0, r.stream);
                        }};
    // Sizes are numbers of the time of building, so they are ordinary small arrays here.
    readers["Size"] = {1, 1, [](const Reading& r) {
                         const auto axis = static_cast<int>(r.get<int64_t>("axis", 0));
                         return Arrays{Array(r.in[0].shape(axis), int64)};
                       }};
    readers["Reshape"] = {1, 2, [](const Reading& r) {  // "shape", after the sizes of input 1
                            Shape shape;
                            if (r.in.size() > 1) {
                              for (int64_t n : r.numbers(1)) shape.push_back(n);
                            }
                            for (int64_t n : r.get<std::vector<int64_t>>("shape", {}))
                              shape.push_back(n);
                            return Arrays{reshape(r.in[0], shape, r.stream)};
                          }};

    // Writers: ops that are a call, or several. What has no row is written as its decomposition.
    auto same = [&](const char* op, const char* call) {
      writers[op].write = [call](const Writing& w) { return w.to.emit(call, {}, w.in, w.out); };
    };
    same("Add", "Add");
    same("Multiply", "Mul");
    writers["Square"].write = [](const Writing& w) {
      return w.to.emit("Mul", {}, {w.in[0], w.in[0]}, w.out);
    };
    writers["Reduce"].write = [](const Writing& w) {
      const auto& op = op_of<Reduce>(w);
      if (op.reduction != Reduction::sum) {
        throw Refusal("R-OP-ARG", "the format has sums, and no other reductions");
      }
      return w.to.emit("Sum", {{"axes", list(op.axes)}, {"keep", int64_t{1}}}, w.in, w.out);
    };
    writers["Reshape"].write = [](const Writing& w) {
      return w.to.emit("Reshape", {{"shape", list(w.out[0].shape)}}, w.in, w.out);
    };
  }
  const char* name() const override { return "stub"; }
};

}  // namespace

const TableDialect& dialect() {
  static const StubDialect stub;
  return stub;
}

}  // namespace heddle::convert::stub
