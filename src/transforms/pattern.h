// Patterns for rules that look back: a pattern is written like the expression that it finds, with
// numbered holes for operands and numbers. Where there is a choice (operands of a sum in either
// order, alternatives), all ways are tried.
#pragma once

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "transforms/look_back.h"
#include "transforms/rewrite.h"

namespace heddle::pattern {

// What the holes of a pattern hold while it is being matched and after it has been found.
class Match {
 public:
  explicit Match(const Site& s) : site(s) {}
  const Site& site;

  const Array& operator[](int hole) const { return arrays[static_cast<size_t>(hole)]; }
  bool has(int hole) const { return static_cast<bool>((*this)[hole]); }
  double number(int hole) const { return *numbers[static_cast<size_t>(hole)]; }

  std::array<Array, 12> arrays;
  std::array<std::optional<double>, 12> numbers;
  Arrays parts;  // the ops that the pattern has gone through, some more than once
};

// A pattern is given an array and the rest of the expression, which it calls when the array fits.
// When the rest does not, it leaves the match as it was and tries the next way.
using Rest = std::function<bool()>;
using Pattern = std::function<bool(Match& m, const Array& a, const Rest& rest)>;

// Any array; at every occurrence of the hole the same one.
Pattern any(int hole);
// A number that is known: into a hole, or this one as far as the dtype can tell.
Pattern number(int hole);
Pattern exactly(double value);

// An op with these operands. Sums, products, maxima and minima take theirs in either order.
Pattern operation(Code code, Pattern a);
Pattern operation(Code code, Pattern a, Pattern b);
Pattern operation(Code code, Pattern a, Pattern b, Pattern c);
using Fits = std::function<bool(const Array&)>;
Pattern operation(Fits fits, std::vector<Pattern> operands);
template <class T>
Pattern result_of(std::vector<Pattern> operands) {
  return operation([](const Array& a) { return made_by<T>(a) != nullptr; }, std::move(operands));
}

Pattern either(std::vector<Pattern> ways);
// The pattern or a conversion of it to another dtype.
Pattern cast(Pattern p);
// The pattern times numbers and divided by numbers, whose product with what the hole holds already
// goes into the hole; 1 if there are none.
Pattern scaled(Pattern p, int hole);
// Factors in any order and grouping, times numbers whose product is `value`.
Pattern product(std::vector<Pattern> factors, double value = 1);
// Square, as a product with itself or a power too.
Pattern squared(Pattern p);
// 1 / sqrt(p) in its forms times or below `numerator`.
Pattern over_root(Pattern numerator, Pattern p);
// Along the last axis, which stays as size one.
Pattern mean_of_rows(Pattern p);
Pattern sum_of_rows(Pattern p);
Pattern largest_of_rows(Pattern p);

// The match if `a` is such an expression and nothing else uses any part of it.
std::optional<Match> find(const Pattern& p, const Site& site, const Array& a);

// Whether nothing but an expression of these parts, which end in `root`, uses any other of them.
bool is_closed(const Site& site, const Arrays& parts, const Array& root);

}  // namespace heddle::pattern
