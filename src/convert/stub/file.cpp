// Text of the stub format becomes calls, and calls become text.
#include <charconv>
#include <sstream>
#include <unordered_map>

#include "convert/format.h"
#include "convert/stub/stub.h"
#include "heddle/errors.h"
#include "heddle/ops.h"
#include "io/reader.h"

namespace heddle::convert::stub {
namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

template <class T>
bool parse(std::string_view text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

class TextReader {
 public:
  explicit TextReader(const std::string& label) : label_(label) {}

  Calls read(const std::string& text) {
    f_.results_recorded = false;  // the text says nothing of results
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line); line_++) {
      const Words words = words_of(line);
      if (words.empty() || (line_ == 1 && words[0] == "stub")) continue;
      if (words[0] == "input") {
        input(words);
      } else if (words[0] == "constant") {
        constant(words);
      } else if (words[0] == "output") {
        for (size_t i = 1; i < words.size(); i++) f_.outputs.push_back(slot(words[i]));
      } else {
        call(words);
      }
    }
    if (f_.outputs.empty()) refuse("there is no output");
    return std::move(f_);
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    throw UnsafeFileError(
        fmt::format("[stub] {}: line {}: {}.", label_, line_, io::printable(problem)));
  }
  int define(const std::string& name, Aval aval) {
    const int slot = f_.add_slot(std::move(aval));
    if (!slots_.emplace(name, slot).second) refuse(name + " is there already");
    f_.names.push_back(name);
    return slot;
  }
  int slot(const std::string& name) const {
    auto at = slots_.find(name);
    if (at == slots_.end()) refuse(name + " is not known before its use");
    return at->second;
  }

  void input(const Words& words) {
    if (words.size() < 3) refuse("an input has a name, a dtype and sizes");
    if (!f_.calls.empty() || !f_.constants.empty()) refuse("inputs come first");
    Aval aval{{}, dtype(words[2])};
    for (size_t i = 3; i < words.size(); i++) {
      const size_t equals = words[i].find('=');
      const std::string name = equals == std::string::npos ? "" : words[i].substr(0, equals);
      int64_t size;
      if (!parse(std::string_view(words[i]).substr(name.empty() ? 0 : equals + 1), size) ||
          size < 1 || size > max_dimension) {
        refuse(words[i] + " is no size");
      }
      const auto axis = static_cast<int>(aval.shape.size());
      if (!name.empty()) dimension(name).axes.emplace_back(f_.input_count, axis);
      if (name.empty()) f_.fixed.emplace_back(f_.input_count, axis);
      aval.shape.push_back(size);
    }
    define(words[1], std::move(aval));
    f_.input_count++;
  }
  Dimension& dimension(const std::string& name) {
    for (Dimension& d : f_.dimensions) {
      if (d.name == name) return d;
    }
    return f_.dimensions.emplace_back(Dimension{name, {}});
  }
  Dtype dtype(const std::string& name) const {
    for (int i = 0; i < dtype_count; i++) {
      if (heddle::name_of(static_cast<Dtype>(i)) == name) return static_cast<Dtype>(i);
    }
    refuse(name + " is no dtype");
  }

  void constant(const Words& words) {
    if (words.size() < 3) refuse("a constant has a name and numbers");
    std::vector<float> values(words.size() - 2);
    for (size_t i = 0; i < values.size(); i++) {
      if (!parse(words[i + 2], values[i])) refuse(words[i + 2] + " is no number");
    }
    const Shape shape{static_cast<int64_t>(values.size())};
    f_.constants.emplace_back(define(words[1], {shape, float32}),
                              Array(values.begin(), shape, float32));
  }

  void call(const Words& words) {
    Call c;
    c.first_output = static_cast<int>(f_.slots.size());
    size_t at = 0;
    while (at < words.size() && words[at] != "=") at++;
    if (at == 0 || at + 1 >= words.size()) refuse("results, =, and an operation are wanted");
    c.output_count = static_cast<int>(at);
    c.origin.name = words[0];
    c.offset = static_cast<size_t>(line_);
    c.name = words[at + 1];
    for (size_t i = at + 2; i < words.size(); i++) {
      const size_t equals = words[i].find('=');
      if (words[i][0] == '@') {
        c.origin.location = words[i].substr(1);
      } else if (equals != std::string::npos) {
        c.attributes.emplace_back(words[i].substr(0, equals), value(words[i].substr(equals + 1)));
      } else {
        c.inputs.push_back(slot(words[i]));
      }
    }
    for (size_t i = 0; i < at; i++) define(words[i], {});
    f_.calls.push_back(std::move(c));
  }
  AttributeValue value(const std::string& text) const {
    int64_t integer;
    double real;
    if (parse(text, integer)) return integer;
    if (parse(text, real)) return real;
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return text;
    std::vector<int64_t> list;
    std::istringstream items(std::string(text.begin() + 1, text.end() - 1));
    for (std::string item; std::getline(items, item, ',');) {
      if (!parse(item, integer)) refuse(item + " is no integer");
      list.push_back(integer);
    }
    return list;
  }

  const std::string& label_;
  int line_ = 1;
  Calls f_;
  std::unordered_map<std::string, int> slots_;
};

constexpr std::string_view first_line = "stub\n";

bool recognizes(const io::Bytes& bytes) {
  return std::string_view(bytes.data, bytes.size).starts_with(first_line);
}

FunctionFile read_file(const Source& source) {
  FunctionFile file;
  file.version += '1';
  file.dialect = &dialect();
  file.functions.push_back(read({source.bytes.data, source.bytes.size}, source.label));
  file.shapeless = !file.functions[0].dimensions.empty();
  return file;
}

void write_file(const FunctionFile& file, const WriteFunction& sink) {
  const std::string text = write(file.functions.at(0));
  sink(text.data(), text.size());
}

const Dialect& any_dialect() { return dialect(); }
const RegisterFormat registered({"stub", ".stub", any_dialect, recognizes, read_file, write_file});

}  // namespace

Calls read(const std::string& text, const std::string& label) {
  return TextReader(label).read(text);
}

std::string write(const Calls& f) {
  std::string out(first_line);
  for (int i = 0; i < f.input_count; i++) {
    const Aval& a = f.slots[static_cast<size_t>(i)];
    out += fmt::format("input {} {}", f.name_of(i), heddle::name_of(a.dtype));
    for (size_t axis = 0; axis < a.shape.size(); axis++) {
      std::string name;
      for (const Dimension& d : f.dimensions) {
        for (auto place : d.axes) {
          if (place == std::pair(i, static_cast<int>(axis))) name = fmt::format("{}=", d.name);
        }
      }
      out += fmt::format(" {}{}", name, a.shape[axis]);
    }
    out += "\n";
  }
  for (const auto& [slot, array] : f.constants) {
    if (array.ndim() != 1 || array.dtype() != float32) {
      throw std::invalid_argument(fmt::format(
          "[stub] The constant {} is {} of shape {}; the format holds vectors of float32.",
          f.name_of(slot), heddle::name_of(array.dtype()), to_string(array.shape())));
    }
    const Array values = contiguous(array);
    values.eval();
    out += fmt::format("constant {}", f.name_of(slot));
    for (int64_t i = 0; i < values.shape(0); i++) {
      out += fmt::format(" {}", static_cast<const float*>(values.raw_data())[i]);
    }
    out += "\n";
  }
  for (const Call& c : f.calls) {
    for (int k = 0; k < c.output_count; k++) out += f.name_of(c.first_output + k) + " ";
    out += fmt::format("= {}", c.name);
    for (int i : c.inputs) out += fmt::format(" {}", f.name_of(i));
    for (const auto& [name, value] : c.attributes)
      out += fmt::format(" {}={}", name, to_string(value));
    if (!c.origin.location.empty()) out += fmt::format(" @{}", c.origin.location);
    out += "\n";
  }
  out += "output";
  for (int o : f.outputs) out += fmt::format(" {}", f.name_of(o));
  return out + "\n";
}

}  // namespace heddle::convert::stub
