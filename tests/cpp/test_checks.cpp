// Every op refuses what does not fit, on every way in: a call, a replay at other sizes, a primitive
// that is applied anew. Meant for the address sanitizer, too: what slips through reads foreign
// memory.
#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/node.h"
#include "heddle/heddle.h"
#include "heddle/primitive.h"
#include "transforms/graph.h"

using namespace heddle;

namespace {

struct Row {
  const char* name;
  std::vector<Shape> shapes;  // that fit
  std::function<Array(const Arrays&)> f;
  std::vector<Dtype> dtypes = {};  // float32, unless they are given
};

Dtype dtype_of_input(const Row& row, size_t i) {
  return i < row.dtypes.size() ? row.dtypes[i] : float32;
}

// Small numbers, which serve as indices.
Array filled(const Shape& shape, Dtype t) { return zeros(shape, t); }

Arrays inputs_of(const Row& row, const std::vector<Shape>& shapes) {
  Arrays out;
  for (size_t i = 0; i < shapes.size(); i++)
    out.push_back(filled(shapes[i], dtype_of_input(row, i)));
  return out;
}

std::vector<Row> rows() {
  auto quantized = [](const Arrays& x) {
    return quantized_matmul(x[0], x[1], x[2], x[3], true, 32, 4);
  };
  return {
      {"matmul", {{3, 4}, {4, 5}}, [](const Arrays& x) { return matmul(x[0], x[1]); }},
      {"matmul of stacks",
       {{2, 3, 4}, {2, 4, 5}},
       [](const Arrays& x) { return matmul(x[0], x[1]); }},
      {"addmm", {{3, 5}, {3, 4}, {4, 5}}, [](const Arrays& x) { return addmm(x[0], x[1], x[2]); }},
      {"rms_norm",
       {{3, 8}, {8}},
       [](const Arrays& x) { return fast::rms_norm(x[0], x[1], 1e-5f); }},
      {"layer_norm",
       {{3, 8}, {8}, {8}},
       [](const Arrays& x) { return fast::layer_norm(x[0], x[1], x[2], 1e-5f); }},
      {"gradient of layer_norm",
       {{3, 8}, {8}, {8}},
       [](const Arrays& x) {
         auto f = [](const Arrays& in) {
           return Arrays{sum(fast::layer_norm(in[0], in[1], in[2], 1e-5f))};
         };
         return grad(f)(x)[0];
       }},
      {"attention",
       {{2, 4, 5, 8}, {2, 2, 6, 8}, {2, 2, 6, 8}},
       [](const Arrays& x) { return fast::scaled_dot_product_attention(x[0], x[1], x[2], 1.0f); }},
      {"attention with sinks",
       {{2, 4, 5, 8}, {2, 2, 6, 8}, {2, 2, 6, 8}, {4}},
       [](const Arrays& x) {
         return fast::scaled_dot_product_attention(x[0], x[1], x[2], 1.0f, "", {}, x[3]);
       }},
      {"rope",
       {{2, 3, 5, 8}, {4}},
       [](const Arrays& x) { return fast::rope(x[0], 8, false, {}, 1.0f, Array(0), x[1]); }},
      {"quantized_matmul",
       {{3, 64}, {8, 8}, {8, 2}, {8, 2}},
       quantized,
       {float32, uint32, float32, float32}},
      {"dequantize",
       {{8, 8}, {8, 2}, {8, 2}},
       [](const Arrays& x) { return dequantize(x[0], x[1], x[2], 32, 4); },
       {uint32, float32, float32}},
      {"quantize", {{8, 64}}, [](const Arrays& x) { return quantize(x[0], 32, 4)[0]; }},
      {"gather_mm",
       {{2, 3, 4}, {2, 4, 5}, {6}, {6}},
       [](const Arrays& x) { return gather_mm(x[0], x[1], x[2], x[3]); },
       {float32, float32, uint32, uint32}},
      {"block_masked_mm",
       {{32, 32}, {32, 32}},
       [](const Arrays& x) { return block_masked_mm(x[0], x[1], 32); }},
      {"segmented_mm",
       {{3, 10}, {10, 4}, {2, 2}},
       [](const Arrays& x) { return segmented_mm(x[0], x[1], x[2]); },
       {float32, float32, uint32}},
      {"take_along_axis",
       {{3, 4}, {3, 2}},
       [](const Arrays& x) { return take_along_axis(x[0], x[1], 1); },
       {float32, int32}},
      {"put_along_axis",
       {{3, 4}, {3, 4}, {3, 4}},
       [](const Arrays& x) { return put_along_axis(x[0], x[1], x[2], 1); },
       {float32, int32, float32}},
      {"conv2d", {{2, 8, 8, 3}, {4, 3, 3, 3}}, [](const Arrays& x) { return conv2d(x[0], x[1]); }},
      {"lstm",
       {{2, 5, 3}, {16, 3}, {16, 4}},
       [](const Arrays& x) { return fast::lstm(x[0], x[1], x[2]).first; }},
      {"concatenate",
       {{3, 4}, {3, 4}},
       [](const Arrays& x) {
         return concatenate({x[0], x[1]}, 1);
       }},
      {"where",
       {{3, 4}, {3, 4}, {3, 4}},
       [](const Arrays& x) { return where(x[0], x[1], x[2]); },
       {bool_, float32, float32}},
      {"hadamard", {{3, 8}}, [](const Arrays& x) { return hadamard_transform(x[0]); }},
      {"solve", {{4, 4}, {4, 2}}, [](const Arrays& x) { return linalg::solve(x[0], x[1]); }},
      {"inv", {{4, 4}}, [](const Arrays& x) { return linalg::inv(x[0]); }},
      {"searchsorted",
       {{5}, {3, 4}},
       [](const Arrays& x) { return searchsorted(x[0], x[1], "left"); }},
      {"masked_scatter",
       {{3, 4}, {3, 4}, {12}},
       [](const Arrays& x) { return masked_scatter(x[0], x[1], x[2]); },
       {float32, bool_, float32}},
      {"cross_entropy",
       {{3, 7}, {3}},
       [](const Arrays& x) { return fast::cross_entropy(x[0], x[1]); },
       {float32, int32}},
      {"sum, sort, scan",
       {{3, 4}},
       [](const Arrays& x) { return sum(cumsum(sort(x[0], 1), 0, false, true), {1}); }},
  };
}

// The message of what `f` throws, or "" if it throws nothing.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

// The ops of the lazy graph of `a`, with the inputs that they have there.
void collect(const Array& a, std::set<const Node*>& seen, std::vector<const Node*>& nodes) {
  if (a.node()->available() || !a.node()->op || !seen.insert(a.node()).second) return;
  nodes.push_back(a.node());
  for (const Array& in : a.node()->inputs) collect(in, seen, nodes);
}

}  // namespace

TEST_CASE("a replay at other sizes refuses what a call refuses, with the same text") {
  int refused = 0;
  for (const Row& row : rows()) {
    CAPTURE(row.name);
    auto function = [&](const Arrays& x) { return Arrays{row.f(x)}; };
    Function compiled = compile(function, true);
    compiled(inputs_of(row, row.shapes));
    for (size_t i = 0; i < row.shapes.size(); i++) {
      for (size_t axis = 0; axis < row.shapes[i].size(); axis++) {
        for (int64_t more : {1, 900}) {
          std::vector<Shape> grown = row.shapes;
          grown[i][axis] += more;
          const Arrays inputs = inputs_of(row, grown);
          const std::string eager = message_of([&] { row.f(inputs); });
          if (eager.empty()) continue;
          CAPTURE(to_string(grown[i]));
          refused++;
          CHECK(message_of([&] { eval(compiled(inputs)); }) == eager);
          // The same graph once more, by its own ops: the texts are those of the ops.
          Arrays traced;
          for (size_t k = 0; k < inputs.size(); k++) {
            traced.push_back(placeholder(row.shapes[k], inputs[k].dtype()));
          }
          TracingScope tracing;
          const Graph graph = capture(traced, function(traced));
          if (graph.follows_shapes())
            CHECK_FALSE(message_of([&] { replay(graph, inputs, true); }).empty());
        }
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("ops refuse inputs that are missing or too many") {
  const std::set<std::string> any_number{"Concatenate", "Gather", "Scatter", "BroadcastLike",
                                         "Depends"};
  std::set<std::string> met;
  for (const Row& row : rows()) {
    const Array out = row.f(inputs_of(row, row.shapes));
    std::set<const Node*> seen;
    std::vector<const Node*> nodes;
    collect(out, seen, nodes);
    for (const Node* n : nodes) {
      CAPTURE(n->op->name());
      met.insert(n->op->name());
      CHECK_NOTHROW(n->op->check(n->inputs));
      Arrays fewer(n->inputs.begin(), n->inputs.end());
      if (!fewer.empty()) {
        fewer.clear();
        CHECK_THROWS_AS(n->op->check(fewer), std::invalid_argument);
      }
      if (n->inputs.empty() || any_number.count(n->op->name())) continue;
      Arrays more = n->inputs;
      more.push_back(n->inputs[0]);
      CHECK_THROWS_AS(n->op->check(more), std::invalid_argument);
    }
  }
  CHECK(met.size() > 25);
}

TEST_CASE("a primitive that is applied to other inputs checks them") {
  const Array product = matmul(zeros({2, 3}), zeros({3, 4}));
  const auto primitive = product.primitive();
  const Array x = zeros({2, 64}), w = zeros({3, 4});
  CHECK(message_of([&] {
          Array({2, 4}, float32, primitive, {x, w});
        }) == message_of([&] { matmul(x, w); }));
}

TEST_CASE("an op's name is its own, whichever thread registers it") {
  CHECK_THROWS_AS(register_op("Matmul"), std::logic_error);
  const size_t before = registered_ops().size();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; t++) {
    threads.emplace_back([t] {
      for (int k = 0; k < 50; k++) register_op(fmt::format("TestOp{}_{}", t, k));
    });
  }
  for (auto& t : threads) t.join();
  const auto ops = registered_ops();
  CHECK(ops.size() == before + 400);
  for (size_t i = 0; i < ops.size(); i++) CHECK(ops[i]->id == static_cast<int>(i));
}
