// Einstein summation: parse, choose an order of pairs, contract each pair by one matmul, or by a
// product and a sum where nothing is summed or the numbers are not floating ones (which matmul
// refuses).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/reduce.h"

namespace heddle {
namespace {

// One label per dimension: letters as they are, dimensions under "..." from the end as 1, 2, ...
// (values that no letter has), so that they line up between operands.
using Labels = std::vector<char>;

struct Expression {
  std::vector<Labels> inputs;
  Labels output;
  std::map<char, int64_t> sizes;
};

[[noreturn]] void fail(std::string text) { refuse("einsum", "" + text); }

// Labels of one term; `ellipsis` is the number of dimensions that "..." stands for.
Labels parse_term(const std::string& term, int ellipsis) {
  Labels labels;
  for (size_t i = 0; i < term.size(); i++) {
    if (term[i] == '.') {
      if (term.compare(i, 3, "...") != 0) fail("Subscripts must be letters, but got '.'.");
      for (int k = ellipsis; k >= 1; k--) labels.push_back(static_cast<char>(k));
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(term[i]))) {
      labels.push_back(term[i]);
    } else {
      fail(fmt::format("Subscripts must be letters, but got '{}'.", term[i]));
    }
  }
  return labels;
}

Expression parse(const std::string& text, const Arrays& operands) {
  if (operands.empty()) fail("At least one operand is required.");
  std::string s;
  for (char c : text) {
    if (c != ' ') s.push_back(c);
  }
  size_t arrow = s.find("->");
  std::string left = s.substr(0, arrow);
  std::vector<std::string> terms{""};
  for (char c : left) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().push_back(c);
    }
  }
  if (terms.size() != operands.size()) {
    fail(fmt::format("Number of operands, {}, does not match number of input subscripts, {}",
                     operands.size(), terms.size()));
  }
  Expression e;
  int widest = 0;
  for (size_t i = 0; i < terms.size(); i++) {
    size_t dots = terms[i].find("...");
    int letters = static_cast<int>(terms[i].size()) - (dots == std::string::npos ? 0 : 3);
    int ellipsis = dots == std::string::npos ? 0 : operands[i].ndim() - letters;
    if (ellipsis < 0 || ellipsis > 32) {
      fail(fmt::format("Invalid number of subscripts {} for input {} with {} dimensions.", letters,
                       i, operands[i].ndim()));
    }
    widest = std::max(widest, ellipsis);
    e.inputs.push_back(parse_term(terms[i], ellipsis));
    if (static_cast<int>(e.inputs.back().size()) != operands[i].ndim()) {
      fail(fmt::format("Invalid number of subscripts {} for input {} with {} dimensions.",
                       e.inputs.back().size(), i, operands[i].ndim()));
    }
    for (int d = 0; d < operands[i].ndim(); d++) {
      auto [at, added] = e.sizes.try_emplace(e.inputs[i][static_cast<size_t>(d)], 1);
      int64_t n = operands[i].shape(d);
      if (at->second == 1) {
        at->second = n;
      } else if (n != 1 && n != at->second) {
        fail(fmt::format("Cannot broadcast dimension {} of input {} with shape {} to size {}.", d,
                         i, to_string(operands[i].shape()), at->second));
      }
    }
  }
  if (arrow != std::string::npos) {
    e.output = parse_term(s.substr(arrow + 2), widest);
    std::set<char> seen;
    for (char c : e.output) {
      if (!seen.insert(c).second) fail("Repeat indices not allowed in output.");
      if (!e.sizes.count(c)) {
        fail(fmt::format("Output subscript '{}' is not among the inputs.", c));
      }
    }
  } else {
    // Dimensions under the ellipsis, then the letters that occur once, in alphabetical order.
    std::map<char, int> count;
    for (const Labels& labels : e.inputs) {
      for (char c : labels) count[c]++;
    }
    for (int k = widest; k >= 1; k--) e.output.push_back(static_cast<char>(k));
    for (auto [c, n] : count) {
      if (n == 1 && c > 32) e.output.push_back(c);
    }
  }
  return e;
}

bool has(const Labels& labels, char c) {
  return std::find(labels.begin(), labels.end(), c) != labels.end();
}

double cost_of(const Expression& e, const Labels& a, const Labels& b) {
  std::set<char> all(a.begin(), a.end());
  all.insert(b.begin(), b.end());
  double cost = 1;
  for (char c : all) cost *= static_cast<double>(e.sizes.at(c));
  return cost;
}

// Labels of a and b that are still wanted afterwards.
Labels remaining(const Labels& a, const Labels& b, const std::vector<Labels>& others,
                 const Labels& output) {
  Labels kept;
  auto keep = [&](char c) {
    bool wanted = has(output, c);
    for (const Labels& o : others) wanted |= has(o, c);
    if (wanted && !has(kept, c)) kept.push_back(c);
  };
  for (char c : a) keep(c);
  for (char c : b) keep(c);
  return kept;
}

// Greedy: always the pair whose contraction removes most for its cost.
std::vector<std::pair<size_t, size_t>> choose_path(const Expression& e) {
  std::vector<std::pair<size_t, size_t>> path;
  std::vector<Labels> terms = e.inputs;
  while (terms.size() > 1) {
    double best = INFINITY;
    std::pair<size_t, size_t> pick{0, 1};
    Labels result;
    for (size_t i = 0; i < terms.size(); i++) {
      for (size_t j = i + 1; j < terms.size(); j++) {
        std::vector<Labels> others;
        for (size_t k = 0; k < terms.size(); k++) {
          if (k != i && k != j) others.push_back(terms[k]);
        }
        Labels kept = remaining(terms[i], terms[j], others, e.output);
        auto volume = [&](const Labels& l) {
          double v = 1;
          for (char c : l) v *= static_cast<double>(e.sizes.at(c));
          return v;
        };
        double score = volume(kept) - volume(terms[i]) - volume(terms[j]) +
                       1e-9 * cost_of(e, terms[i], terms[j]);
        if (score < best) {
          best = score;
          pick = {i, j};
          result = kept;
        }
      }
    }
    path.push_back(pick);
    terms.erase(terms.begin() + static_cast<long>(pick.second));
    terms.erase(terms.begin() + static_cast<long>(pick.first));
    terms.push_back(result);
  }
  return path;
}

struct Term {
  Array array;
  Labels labels;
};

// Repeated labels become diagonals; labels in nobody's interest are summed; sizes are the common
// ones.
Term tidy(Term t, const Labels& wanted, const Expression& e, StreamOrDevice s) {
  for (size_t i = 0; i < t.labels.size(); i++) {
    for (size_t j = i + 1; j < t.labels.size();) {
      if (t.labels[j] != t.labels[i]) {
        j++;
        continue;
      }
      char c = t.labels[i];
      // A trace for other sizes states that the two are equal.
      const Array turned = swapaxes(t.array, static_cast<int>(i), static_cast<int>(j), s);
      t.array = exactly_like(t.array, turned, to_stream(s));
      t.array = diagonal(t.array, 0, static_cast<int>(i), static_cast<int>(j), s);
      t.labels.erase(t.labels.begin() + static_cast<long>(j));
      t.labels.erase(t.labels.begin() + static_cast<long>(i));
      t.labels.push_back(c);
      i = static_cast<size_t>(-1);
      break;
    }
  }
  std::vector<int> unwanted;
  Labels kept;
  int64_t stretched = 1;  // a dimension of size one that others stretch is summed that many times
  for (size_t i = 0; i < t.labels.size(); i++) {
    if (has(wanted, t.labels[i])) {
      kept.push_back(t.labels[i]);
    } else {
      unwanted.push_back(static_cast<int>(i));
      int64_t n = e.sizes.at(t.labels[i]);
      if (t.array.shape(static_cast<int>(i)) != n) stretched *= n;
    }
  }
  if (!unwanted.empty()) t.array = sum(t.array, unwanted, false, s);
  if (stretched != 1) t.array = multiply(t.array, Array(stretched, t.array.dtype()), s);
  t.labels = kept;
  return t;
}

Array arrange(const Term& t, const Labels& order, StreamOrDevice s) {
  std::vector<int> axes;
  for (char c : order) {
    axes.push_back(
        static_cast<int>(std::find(t.labels.begin(), t.labels.end(), c) - t.labels.begin()));
  }
  return transpose(t.array, axes, s);
}

Shape sizes_of(const Expression& e, const Labels& labels) {
  Shape shape;
  for (char c : labels) shape.push_back(e.sizes.at(c));
  return shape;
}

Labels operator+(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The term with one dimension for each of `order`, of size one where it lacks the label.
Array spread(const Term& t, const Labels& order, StreamOrDevice s) {
  Labels own;
  std::vector<int> lacking;
  for (size_t i = 0; i < order.size(); i++) {
    if (has(t.labels, order[i])) own.push_back(order[i]);
    else lacking.push_back(static_cast<int>(i));
  }
  return expand_dims(arrange(t, own, s), lacking, s);
}

// a and b, tidied, to their batch labels, then those of a alone, then those of b alone.
Term contract(const Term& a, const Term& b, const Labels& wanted, const Expression& e,
              StreamOrDevice s) {
  Labels batch, rows, columns, summed;
  for (char c : a.labels) {
    if (!has(b.labels, c)) rows.push_back(c);
    else if (has(wanted, c)) batch.push_back(c);
    else summed.push_back(c);
  }
  for (char c : b.labels) {
    if (!has(a.labels, c)) columns.push_back(c);
  }
  Labels out = batch + rows + columns;
  if (summed.empty()) return {multiply(spread(a, out, s), spread(b, out, s), s), out};
  Dtype dtype = promote_types(a.array.dtype(), b.array.dtype());
  if (!issubdtype(dtype, DtypeCategory::inexact)) {
    // In the type of the sum from the start, which holds the products of small integers.
    Labels all = out + summed;
    auto widened = [&](const Term& t) {
      return astype(spread(t, all, s), accumulated_dtype(dtype), s);
    };
    Array product = multiply(widened(a), widened(b), s);
    std::vector<int> axes;
    for (size_t i = out.size(); i < all.size(); i++) axes.push_back(static_cast<int>(i));
    return {sum(product, axes, false, s), out};
  }
  // As many axes from `at` on as one, and one as those of the labels; by no size that is not
  // needed, so that shapeless programs follow.
  const int stack = static_cast<int>(batch.size());
  auto folded = [&](const Array& x, int at, size_t count) {
    if (count == 0) return expand_dims(x, at, s);
    return flatten(x, at, at + static_cast<int>(count) - 1, s);
  };
  auto unfolded = [&](const Array& x, int at, const Labels& labels) {
    if (labels.empty()) return squeeze(x, at, s);
    return labels.size() == 1 ? x : unflatten(x, at, sizes_of(e, labels), s);
  };
  auto matrix = [&](const Term& t, const Labels& first, const Labels& second) {
    Labels order = batch + first + second;
    Array x = broadcast_to(arrange(t, order, s), sizes_of(e, order), s);
    return folded(folded(x, stack + static_cast<int>(first.size()), second.size()), stack,
                  first.size());
  };
  Array product = matmul(matrix(a, rows, summed), matrix(b, summed, columns), s);
  return {unfolded(unfolded(product, stack + 1, columns), stack, rows), out};
}

// Whether the whole is one sum, or one product of two operands none of which is summed before.
bool is_single_product(const Expression& e) {
  if (e.inputs.size() != 2) return e.inputs.size() == 1;
  auto enters = [&](const Labels& own, const Labels& other) {
    return std::all_of(own.begin(), own.end(),
                       [&](char c) { return has(other, c) || has(e.output, c); });
  };
  return enters(e.inputs[0], e.inputs[1]) && enters(e.inputs[1], e.inputs[0]);
}

}  // namespace

Array einsum(const std::string& subscripts, const Arrays& operands, StreamOrDevice s) {
  Expression e = parse(subscripts, operands);
  Dtype result = operands[0].dtype();
  for (const Array& x : operands) result = promote_types(result, x.dtype());
  // What is summed or multiplied on the way is no result: halves only enter a single product.
  const bool wide = is_half(result) && !is_single_product(e);
  std::vector<Term> terms;
  for (size_t i = 0; i < operands.size(); i++) {
    terms.push_back({wide ? astype(operands[i], float32, s) : operands[i], e.inputs[i]});
  }
  auto wanted_beside = [&](const std::vector<size_t>& mine) {
    Labels wanted = e.output;
    for (size_t k = 0; k < terms.size(); k++) {
      if (std::find(mine.begin(), mine.end(), k) != mine.end()) continue;
      wanted.insert(wanted.end(), terms[k].labels.begin(), terms[k].labels.end());
    }
    return wanted;
  };
  for (auto [i, j] : choose_path(e)) {
    Labels wanted = wanted_beside({i, j});
    Labels wanted_a = wanted, wanted_b = wanted;
    wanted_a.insert(wanted_a.end(), terms[j].labels.begin(), terms[j].labels.end());
    wanted_b.insert(wanted_b.end(), terms[i].labels.begin(), terms[i].labels.end());
    Term merged =
        contract(tidy(terms[i], wanted_a, e, s), tidy(terms[j], wanted_b, e, s), wanted, e, s);
    terms.erase(terms.begin() + static_cast<long>(j));
    terms.erase(terms.begin() + static_cast<long>(i));
    terms.push_back(std::move(merged));
  }
  Term last = tidy(terms[0], e.output, e, s);
  Array out = arrange(last, e.output, s);
  return wide ? astype(out, result, s) : out;
}

std::pair<std::vector<std::vector<int>>, std::string> einsum_path(const std::string& subscripts,
                                                                  const Arrays& operands) {
  Expression e = parse(subscripts, operands);
  std::vector<std::vector<int>> path;
  double naive = 1, optimized = 0;
  for (auto [c, n] : e.sizes) naive *= static_cast<double>(n);
  naive *= static_cast<double>(std::max<size_t>(operands.size(), 1));
  size_t scaling = 0;
  std::vector<Labels> terms = e.inputs;
  for (auto [i, j] : choose_path(e)) {
    path.push_back({static_cast<int>(i), static_cast<int>(j)});
    std::set<char> all(terms[i].begin(), terms[i].end());
    all.insert(terms[j].begin(), terms[j].end());
    scaling = std::max(scaling, all.size());
    Labels a = terms[i], b = terms[j];
    terms.erase(terms.begin() + static_cast<long>(j));
    terms.erase(terms.begin() + static_cast<long>(i));
    Labels kept = remaining(a, b, terms, e.output);
    bool sums = kept.size() < all.size();
    optimized += cost_of(e, a, b) * (sums ? 2 : 1);
    terms.push_back(kept);
  }
  if (operands.size() == 1) {
    path.push_back({0});
    scaling = e.sizes.size();
    optimized = naive;
  }
  std::string report = fmt::format(
      "  Complete contraction:  {}\n         Naive scaling:  {}\n     Optimized scaling:  {}\n"
      "      Naive FLOP count:  {:.0f}\n  Optimized FLOP count:  {:.0f}\n",
      subscripts, e.sizes.size(), scaling, naive, optimized);
  return {path, report};
}

}  // namespace heddle
