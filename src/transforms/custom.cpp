#include "transforms/custom.h"

#include <algorithm>
#include <utility>

#include "core/node.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/random.h"
#include "heddle/ops/reduce.h"
#include "ops/checks.h"

namespace heddle {

void CustomTransforms::check(const Arrays& in) const {
  require_inputs(*this, in, static_cast<size_t>(output_count), any_number);
}

Avals CustomTransforms::infer(const Arrays& in) const {
  Avals out;
  for (size_t i = argument_count(in); i < in.size(); i++)
    out.push_back({in[i].shape(), in[i].dtype()});
  return out;
}

std::optional<Arrays> CustomTransforms::vjp(const Pull& p) const {
  size_t n = argument_count(p.in);
  Arrays given;
  if (rules.vjp)
    given = rules.vjp(Arrays(p.in.begin(), p.in.begin() + static_cast<long>(n)), p.g, p.out);
  Arrays result;
  for (int i : p.wanted) {
    size_t k = static_cast<size_t>(i);
    if (rules.vjp) {
      result.push_back(k < given.size() ? given[k] : Array());
    } else {
      result.push_back(k < n ? Array() : p.g[k - n]);  // through the function itself
    }
  }
  return result;
}

std::optional<Arrays> CustomTransforms::jvp(const Push& p) const {
  int n = static_cast<int>(argument_count(p.in));
  if (rules.jvp) {
    Arrays own;
    std::vector<int> at;
    for (size_t k = 0; k < p.wanted.size(); k++) {
      if (p.wanted[k] >= n) continue;
      own.push_back(p.t[k]);
      at.push_back(p.wanted[k]);
    }
    return rules.jvp(Arrays(p.in.begin(), p.in.begin() + n), own, at);
  }
  Arrays result;
  for (int k = 0; k < output_count; k++) {
    auto found = std::find(p.wanted.begin(), p.wanted.end(), n + k);
    result.push_back(found == p.wanted.end() ? zeros_like(p.out[static_cast<size_t>(k)])
                                             : p.t[static_cast<size_t>(found - p.wanted.begin())]);
  }
  return result;
}

std::optional<Batched> CustomTransforms::vmap(const Batch& b) const {
  size_t n = argument_count(b.in);
  if (rules.vmap) {
    auto [outputs, out_axes] =
        rules.vmap(Arrays(b.in.begin(), b.in.begin() + static_cast<long>(n)),
                   std::vector<int>(b.axes.begin(), b.axes.begin() + static_cast<long>(n)));
    return Batched{std::move(outputs), std::move(out_axes)};
  }
  // Batched by the function itself; its own derivative rules still hold, example by example.
  CustomRules batched;
  std::vector<int> argument_axes, output_axes;
  auto as_axis = [](int a) { return a < 0 ? no_batch_axis : a; };
  for (size_t i = 0; i < n; i++) argument_axes.push_back(as_axis(b.axes[i]));
  for (size_t i = n; i < b.in.size(); i++) output_axes.push_back(as_axis(b.axes[i]));
  if (rules.vjp) {
    batched.vjp = [rule = rules.vjp, argument_axes, output_axes, n](
                      const Arrays& primals, const Arrays& g, const Arrays& out) {
      Arrays all = primals;
      all.insert(all.end(), g.begin(), g.end());
      all.insert(all.end(), out.begin(), out.end());
      std::vector<int> at = argument_axes;
      at.insert(at.end(), output_axes.begin(), output_axes.end());
      at.insert(at.end(), output_axes.begin(), output_axes.end());
      size_t m = g.size();
      auto one = [&](const Arrays& x) {
        auto cut = [&](size_t from, size_t count) {
          return Arrays(x.begin() + static_cast<long>(from),
                        x.begin() + static_cast<long>(from + count));
        };
        Arrays back = rule(cut(0, n), cut(n, m), cut(n + m, m));
        back.resize(n);
        for (size_t i = 0; i < n; i++) {
          if (!back[i]) back[i] = zeros_like(x[i]);
        }
        return back;
      };
      std::vector<int> to;
      for (int a : argument_axes) to.push_back(a == no_batch_axis ? 0 : a);
      Arrays back = heddle::vmap(one, at, to)(all);
      for (size_t i = 0; i < n; i++) {
        if (argument_axes[i] == no_batch_axis) back[i] = sum(back[i], {0});
      }
      return back;
    };
  }
  Arrays outputs =
      apply_multi(make_op<CustomTransforms>(output_count, std::move(batched)), b.in, to_stream({}));
  return Batched{std::move(outputs),
                 std::vector<int>(b.axes.begin() + static_cast<long>(n), b.axes.end())};
}

Function custom_function(Function fun, CustomRules rules) {
  return [fun = std::move(fun), rules = std::move(rules)](const Arrays& inputs) {
    Arrays outputs = fun(inputs);
    if (!in_tracing()) return outputs;
    Arrays all = inputs;
    all.insert(all.end(), outputs.begin(), outputs.end());
    return apply_multi(make_op<CustomTransforms>(static_cast<int>(outputs.size()), rules),
                       std::move(all), to_stream({}));
  };
}

namespace {

// Draws begin at another key while this lives.
class DrawingFrom {
 public:
  explicit DrawingFrom(const Array& key) : now_(std::exchange(random::state(), key)) {}
  ~DrawingFrom() { random::state() = now_; }

 private:
  Array now_;
};

}  // namespace

Function checkpoint(Function fun) {
  return [fun = std::move(fun)](const Arrays& inputs) {
    // The key at which draws begin is an argument like the others, so that a program that is
    // replayed, on another thread too, draws from the key of its own.
    auto without_key = [](const Arrays& all) { return Arrays(all.begin(), all.end() - 1); };
    CustomRules rules;
    rules.vjp = [fun, without_key](const Arrays& primals, const Arrays& cotangents, const Arrays&) {
      DrawingFrom same(primals.back());
      Arrays gradients = vjp(fun, without_key(primals), cotangents).second;
      gradients.push_back({});
      return gradients;
    };
    Arrays all = inputs;
    all.push_back(random::state());
    return custom_function([&](const Arrays& in) { return fun(without_key(in)); },
                           std::move(rules))(all);
  };
}

}  // namespace heddle
