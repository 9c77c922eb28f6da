#include "transforms/pattern.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "ops/reduce.h"

namespace heddle::pattern {
namespace {

bool commutes(Code code) {
  return code == Code::add || code == Code::multiply || code == Code::maximum ||
         code == Code::minimum;
}

// Matches patterns[i], patterns[i + 1], ... with operands of `a`.
bool match_operands(Match& m, const Array& a, const std::vector<Pattern>& patterns, size_t i,
                    const Rest& rest) {
  if (i == patterns.size()) return rest();
  return patterns[i](m, operand(a, i), [&] { return match_operands(m, a, patterns, i + 1, rest); });
}

// Calls `match` with `a` noted as a part of the expression.
bool as_part(Match& m, const Array& a, const Rest& match) {
  m.parts.push_back(a);
  if (match()) return true;
  m.parts.pop_back();
  return false;
}

// How far a number of this dtype may be from the one that a formula means: the digits that people
// write and the dtype keeps.
double slack(Dtype t) {
  switch (t) {
    case Dtype::float16:
      return 1e-3;
    case Dtype::bfloat16:
      return 8e-3;
    default:
      return 2e-6;
  }
}

bool close(double a, double b, Dtype t) { return std::abs(a - b) <= slack(t) * std::abs(b); }

// A product taken apart: its factors that are no numbers, the product of the others, and the parts
// that it consists of. A product that others use as well is a factor.
struct Factors {
  Arrays arrays;
  double number = 1;
  Arrays parts;

  Factors(const Site& site, const Array& root) { add(site, root, true); }

 private:
  void add(const Site& site, const Array& a, bool is_root) {
    if (std::optional<double> value = site.number(a)) {
      number *= *value;
      return;
    }
    const std::optional<Code> code = code_of(a);
    const bool whole = !is_root && site.uses(a) != 1;
    if (!whole && code == Code::multiply) {
      parts.push_back(a);
      add(site, operand(a, 0), false);
      add(site, operand(a, 1), false);
      return;
    }
    if (!whole && code == Code::divide) {
      if (std::optional<double> divisor = site.number(operand(a, 1)); divisor && *divisor != 0) {
        parts.push_back(a);
        number /= *divisor;
        add(site, operand(a, 0), false);
        return;
      }
    }
    arrays.push_back(a);
  }
};

// The reduction over the last axis alone.
bool over_rows(const std::vector<int>& axes, const Array& input) {
  return axes.size() == 1 && axes[0] == input.ndim() - 1;
}

Pattern reduced_rows(Reduction reduction, Pattern p) {
  return operation(
      [reduction](const Array& a) {
        const auto* reduce = made_by<Reduce>(a);
        return reduce && reduce->reduction == reduction && over_rows(reduce->axes, operand(a));
      },
      {std::move(p)});
}

}  // namespace

Pattern any(int hole) {
  return [hole](Match& m, const Array& a, const Rest& rest) {
    Array& held = m.arrays[static_cast<size_t>(hole)];
    if (held) return held.same_as(a) && rest();
    held = a;
    if (rest()) return true;
    held = Array();
    return false;
  };
}

Pattern number(int hole) {
  return [hole](Match& m, const Array& a, const Rest& rest) {
    const std::optional<double> value = m.site.number(a);
    std::optional<double>& held = m.numbers[static_cast<size_t>(hole)];
    if (!value || (held && *held != *value)) return false;
    const std::optional<double> before = std::exchange(held, value);
    if (rest()) return true;
    held = before;
    return false;
  };
}

Pattern exactly(double value) {
  return [value](Match& m, const Array& a, const Rest& rest) {
    const std::optional<double> found = m.site.number(a);
    return found && close(*found, value, a.dtype()) && rest();
  };
}

Pattern operation(Fits fits, std::vector<Pattern> operands) {
  return [fits = std::move(fits), operands = std::move(operands)](Match& m, const Array& a,
                                                                  const Rest& rest) {
    if (!maker(a) || heddle::operands(a).size() != operands.size() || !fits(a)) return false;
    return as_part(m, a, [&] { return match_operands(m, a, operands, 0, rest); });
  };
}

Pattern operation(Code code, Pattern a) {
  return operation([code](const Array& x) { return code_of(x) == code; }, {std::move(a)});
}

Pattern operation(Code code, Pattern a, Pattern b) {
  auto fits = [code](const Array& x) { return code_of(x) == code; };
  Pattern in_order = operation(fits, {a, b});
  if (!commutes(code)) return in_order;
  return either({std::move(in_order), operation(fits, {std::move(b), std::move(a)})});
}

Pattern operation(Code code, Pattern a, Pattern b, Pattern c) {
  return operation([code](const Array& x) { return code_of(x) == code; },
                   {std::move(a), std::move(b), std::move(c)});
}

Pattern either(std::vector<Pattern> ways) {
  return [ways = std::move(ways)](Match& m, const Array& a, const Rest& rest) {
    return std::any_of(ways.begin(), ways.end(), [&](const Pattern& p) { return p(m, a, rest); });
  };
}

Pattern cast(Pattern p) { return either({p, result_of<AsType>({p})}); }

Pattern scaled(Pattern p, int hole) {
  return [p = std::move(p), hole](Match& m, const Array& root, const Rest& rest) {
    std::optional<double>& held = m.numbers[static_cast<size_t>(hole)];
    const std::optional<double> before = held;
    std::function<bool(const Array&, double)> strip = [&](const Array& a, double by) {
      const std::optional<Code> code = code_of(a);
      const size_t factors = code == Code::multiply ? 2 : code == Code::divide ? 1 : 0;
      for (size_t i = 0; i < factors; i++) {
        const std::optional<double> other = m.site.number(operand(a, 1 - i));
        if (!other || *other == 0) continue;
        const double next = code == Code::multiply ? by * *other : by / *other;
        if (as_part(m, a, [&] { return strip(operand(a, i), next); })) return true;
      }
      held = by;
      return p(m, a, rest);
    };
    if (strip(root, before.value_or(1))) return true;
    held = before;
    return false;
  };
}

Pattern product(std::vector<Pattern> factors, double value) {
  return [factors = std::move(factors), value](Match& m, const Array& a, const Rest& rest) {
    const Factors found(m.site, a);
    if (found.arrays.size() != factors.size() || !close(found.number, value, a.dtype())) {
      return false;
    }
    std::vector<bool> taken(factors.size(), false);
    std::function<bool(size_t)> assign = [&](size_t i) {
      if (i == factors.size()) return rest();
      for (size_t k = 0; k < taken.size(); k++) {
        if (taken[k]) continue;
        taken[k] = true;
        if (factors[i](m, found.arrays[k], [&] { return assign(i + 1); })) return true;
        taken[k] = false;
      }
      return false;
    };
    std::function<bool(size_t)> note = [&](size_t i) {
      if (i == found.parts.size()) return assign(0);
      return as_part(m, found.parts[i], [&] { return note(i + 1); });
    };
    return note(0);
  };
}

Pattern squared(Pattern p) {
  Pattern self = [p](Match& m, const Array& a, const Rest& rest) {
    if (code_of(a) != Code::multiply || !operand(a, 0).same_as(operand(a, 1))) return false;
    return as_part(m, a, [&] { return p(m, operand(a), rest); });
  };
  return either(
      {operation(Code::square, p), std::move(self), operation(Code::power, p, exactly(2))});
}

Pattern over_root(Pattern numerator, Pattern p) {
  Pattern root = operation(Code::sqrt, p);
  return either({
      operation(Code::multiply, numerator, operation(Code::rsqrt, p)),
      operation(Code::divide, numerator, root),
      operation(Code::multiply, numerator, operation(Code::reciprocal, root)),
      operation(Code::multiply, numerator, operation(Code::divide, exactly(1), root)),
      operation(Code::multiply, numerator, operation(Code::power, p, exactly(-0.5))),
      operation(Code::divide, numerator, operation(Code::power, p, exactly(0.5))),
  });
}

Pattern mean_of_rows(Pattern p) {
  Pattern mean = operation(
      [](const Array& a) {
        const auto* op = made_by<Mean>(a);
        return op && op->ddof == 0 && over_rows(op->axes, operand(a));
      },
      {p});
  // A sum times 1 / n or divided by n, where n is the length of rows.
  Pattern sum = sum_of_rows(p);
  auto divided = [sum](Match& m, const Array& a, const Rest& rest) {
    const Factors found(m.site, a);
    if (found.arrays.size() != 1 || found.parts.size() != 1) return false;
    const Array& total = found.arrays[0];
    if (!made_by<Reduce>(total)) return false;
    const double n = static_cast<double>(operand(total).shape(-1));
    if (!close(found.number * n, 1, a.dtype())) return false;
    return as_part(m, found.parts[0], [&] { return sum(m, total, rest); });
  };
  return either({std::move(mean), std::move(divided)});
}

Pattern sum_of_rows(Pattern p) { return reduced_rows(Reduction::sum, std::move(p)); }
Pattern largest_of_rows(Pattern p) { return reduced_rows(Reduction::max, std::move(p)); }

bool is_closed(const Site& site, const Arrays& parts, const Array& root) {
  std::unordered_map<const Node*, int> inside;
  std::unordered_set<const Node*> met;
  for (const Array& part : parts) {
    if (!met.insert(part.node()).second) continue;  // a pattern may go through it several times
    for (const Array& in : operands(part)) inside[in.node()]++;
  }
  return std::all_of(parts.begin(), parts.end(), [&](const Array& part) {
    return part.same_as(root) || site.uses(part) == inside[part.node()];
  });
}

std::optional<Match> find(const Pattern& p, const Site& site, const Array& a) {
  Match m(site);
  if (!p(m, a, [&] { return is_closed(site, m.parts, a); })) return std::nullopt;
  return m;
}

}  // namespace heddle::pattern
