// Einstein summation: parse, choose an order of pairs, contract each pair by one matmul.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "heddle/ops.h"

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

[[noreturn]] void fail(std::string text) { throw std::invalid_argument("[einsum] " + text); }

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
      fail(fmt::format("Invalid number of subscripts {} for input {} with {} dimensions.", letters, i,
                       operands[i].ndim()));
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
        fail(fmt::format("Cannot broadcast dimension {} of input {} with shape {} to size {}.", d, i,
                         to_string(operands[i].shape()), at->second));
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

// Repeated labels become diagonals; labels in nobody's interest are summed; sizes are the common ones.
Term tidy(Term t, const Labels& wanted, const Expression& e, StreamOrDevice s) {
  for (size_t i = 0; i < t.labels.size(); i++) {
    for (size_t j = i + 1; j < t.labels.size();) {
      if (t.labels[j] != t.labels[i]) {
        j++;
        continue;
      }
      char c = t.labels[i];
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
  for (size_t i = 0; i < t.labels.size(); i++) {
    if (has(wanted, t.labels[i])) {
      kept.push_back(t.labels[i]);
    } else {
      unwanted.push_back(static_cast<int>(i));
      // A dimension of size one that others stretch is summed that many times.
      int64_t n = e.sizes.at(t.labels[i]);
      if (t.array.shape(static_cast<int>(i)) != n) {
        t.array = multiply(t.array, Array(static_cast<float>(n), t.array.dtype()), s);
      }
    }
  }
  if (!unwanted.empty()) t.array = astype(sum(t.array, unwanted, false, s), t.array.dtype(), s);
  t.labels = kept;
  return t;
}

Array arrange(const Term& t, const Labels& order, StreamOrDevice s) {
  std::vector<int> axes;
  for (char c : order) {
    axes.push_back(static_cast<int>(std::find(t.labels.begin(), t.labels.end(), c) -
                                    t.labels.begin()));
  }
  return transpose(t.array, axes, s);
}

// a and b, tidied, to the labels `out`: batch labels, then those of a alone, then those of b alone.
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
  auto volume = [&](const Labels& l) {
    int64_t v = 1;
    for (char c : l) v *= e.sizes.at(c);
    return v;
  };
  auto matrix = [&](const Term& t, const Labels& first, const Labels& second) {
    Labels order = batch;
    order.insert(order.end(), first.begin(), first.end());
    order.insert(order.end(), second.begin(), second.end());
    Shape full;
    for (char c : order) full.push_back(e.sizes.at(c));
    Array x = broadcast_to(arrange(t, order, s), full, s);
    Shape folded;
    for (char c : batch) folded.push_back(e.sizes.at(c));
    folded.push_back(volume(first));
    folded.push_back(volume(second));
    return reshape(x, folded, s);
  };
  Labels out = batch;
  out.insert(out.end(), rows.begin(), rows.end());
  out.insert(out.end(), columns.begin(), columns.end());
  Shape shape;
  for (char c : out) shape.push_back(e.sizes.at(c));
  Array product = matmul(matrix(a, rows, summed), matrix(b, summed, columns), s);
  return {reshape(product, shape, s), out};
}

}  // namespace

Array einsum(const std::string& subscripts, const Arrays& operands, StreamOrDevice s) {
  Expression e = parse(subscripts, operands);
  std::vector<Term> terms;
  for (size_t i = 0; i < operands.size(); i++) terms.push_back({operands[i], e.inputs[i]});
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
    Term merged = contract(tidy(terms[i], wanted_a, e, s), tidy(terms[j], wanted_b, e, s), wanted, e, s);
    terms.erase(terms.begin() + static_cast<long>(j));
    terms.erase(terms.begin() + static_cast<long>(i));
    terms.push_back(std::move(merged));
  }
  Term last = tidy(terms[0], e.output, e, s);
  return arrange(last, e.output, s);
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
