// Functions as files in MLX's forms: named arguments in an unordered map, options one by one, and
// what a callback sees in MLX's dictionary.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/export.h"
#include "mlx/array.h"

namespace mlx::core {

using Args = std::vector<array>;
using Kwargs = std::unordered_map<std::string, array>;

// One attribute of a primitive.
using StateT =
    std::variant<bool, int, size_t, float, double, Dtype, Shape, Strides, std::vector<int>,
                 std::vector<size_t>, std::vector<std::tuple<bool, bool, bool>>,
                 std::vector<std::variant<bool, int, float>>, std::optional<float>, std::string>;
// A record: its "type", and by that "inputs", "outputs", "keywords", "constants", "name",
// "arguments".
using ExportCallbackInput =
    std::unordered_map<std::string, std::variant<std::vector<std::tuple<std::string, Shape, Dtype>>,
                                                 std::vector<std::pair<std::string, array>>,
                                                 std::vector<std::pair<std::string, std::string>>,
                                                 std::vector<StateT>, std::string>>;
using ExportCallback = std::function<void(const ExportCallbackInput&)>;

namespace detail {

inline Kwargs out(const heddle::NamedArguments& named) { return {named.begin(), named.end()}; }
inline heddle::NamedArguments in(const Kwargs& named) { return {named.begin(), named.end()}; }

inline heddle::ExportedFunction exported(std::function<Args(const Args&)> fun) {
  return [fun = std::move(fun)](const heddle::Arrays& args, const heddle::NamedArguments&) {
    return in(fun(out(args)));
  };
}
inline heddle::ExportedFunction exported(std::function<Args(const Kwargs&)> fun) {
  return [fun = std::move(fun)](const heddle::Arrays&, const heddle::NamedArguments& named) {
    return in(fun(out(named)));
  };
}
inline heddle::ExportedFunction exported(std::function<Args(const Args&, const Kwargs&)> fun) {
  return [fun = std::move(fun)](const heddle::Arrays& args, const heddle::NamedArguments& named) {
    return in(fun(out(args), out(named)));
  };
}

inline StateT state(const heddle::ExportValue& value) {
  return std::visit(
      [](const auto& v) -> StateT {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, int64_t>) return static_cast<int>(v);
        else if constexpr (std::is_same_v<T, double>) return static_cast<float>(v);
        else if constexpr (std::is_same_v<T, heddle::Dtype>) return Dtype(v);
        else if constexpr (std::is_same_v<T, heddle::Shape>) return Shape(v.begin(), v.end());
        else if constexpr (std::is_same_v<T, std::vector<int64_t>>)
          return std::vector<int>(v.begin(), v.end());
        else return v;
      },
      value);
}

inline heddle::ExportCallback record_taker(ExportCallback callback) {
  return [callback = std::move(callback)](const heddle::ExportRecord& record) {
    auto described = [](const std::vector<heddle::ExportRecord::Named>& all) {
      std::vector<std::tuple<std::string, Shape, Dtype>> list;
      for (const auto& one : all) {
        list.emplace_back(one.name, Shape(one.shape.begin(), one.shape.end()), Dtype(one.dtype));
      }
      return list;
    };
    ExportCallbackInput dictionary{{"type", record.type}};
    if (record.type == "inputs") dictionary.emplace("inputs", described(record.inputs));
    if (record.type == "outputs") dictionary.emplace("outputs", described(record.outputs));
    if (record.type == "keyword_inputs") dictionary.emplace("keywords", record.keywords);
    if (record.type == "constants") {
      std::vector<std::pair<std::string, array>> constants;
      for (const auto& [name, value] : record.constants) constants.emplace_back(name, array(value));
      dictionary.emplace("constants", std::move(constants));
    }
    if (record.type == "primitive") {
      std::vector<StateT> arguments;
      for (const heddle::ExportValue& value : record.arguments) arguments.push_back(state(value));
      dictionary.emplace("name", record.name);
      dictionary.emplace("arguments", std::move(arguments));
      dictionary.emplace("inputs", described(record.inputs));
      dictionary.emplace("outputs", described(record.outputs));
    }
    callback(dictionary);
  };
}

}  // namespace detail

// Several traces of one function, into one file or to one callback.
struct FunctionExporter {
  void operator()(const std::initializer_list<array>& args) { (*this)(Args(args)); }
  void operator()(const Args& args) { (*this)(args, {}); }
  void operator()(const Kwargs& kwargs) { (*this)({}, kwargs); }
  void operator()(const Args& args, const Kwargs& kwargs) { trace_(args, kwargs); }
  // Writes the file; so does the end of the exporter, where an error is lost.
  void close() { close_(); }

  FunctionExporter(const FunctionExporter&) = delete;
  FunctionExporter& operator=(const FunctionExporter&) = delete;
  FunctionExporter(FunctionExporter&&) = default;

  explicit FunctionExporter(heddle::FunctionExporter file) {
    auto shared = std::make_shared<heddle::FunctionExporter>(std::move(file));
    trace_ = [shared](const Args& args, const Kwargs& kwargs) {
      (*shared)(detail::in(args), detail::in(kwargs));
    };
    close_ = [shared] { shared->close(); };
  }
  FunctionExporter(const ExportCallback& callback, heddle::ExportedFunction fun, bool shapeless) {
    trace_ = [taker = detail::record_taker(callback), fun = std::move(fun), shapeless](
                 const Args& args, const Kwargs& kwargs) {
      heddle::export_function(taker, fun, detail::in(args), detail::in(kwargs), shapeless);
    };
    close_ = [] {};
  }

 private:
  std::function<void(const Args&, const Kwargs&)> trace_;
  std::function<void()> close_;
};

inline FunctionExporter exporter(const std::string& file,
                                 const std::function<std::vector<array>(const Args&)>& fun,
                                 bool shapeless = false, const std::string& metadata = "") {
  return FunctionExporter(
      heddle::exporter(file, detail::exported(fun), heddle::ExportOptions{shapeless, metadata}));
}
inline FunctionExporter exporter(const std::string& file,
                                 const std::function<std::vector<array>(const Kwargs&)>& fun,
                                 bool shapeless = false, const std::string& metadata = "") {
  return FunctionExporter(
      heddle::exporter(file, detail::exported(fun), heddle::ExportOptions{shapeless, metadata}));
}
inline FunctionExporter exporter(
    const std::string& path,
    const std::function<std::vector<array>(const Args&, const Kwargs&)>& fun,
    bool shapeless = false, const std::string& metadata = "") {
  return FunctionExporter(
      heddle::exporter(path, detail::exported(fun), heddle::ExportOptions{shapeless, metadata}));
}
inline FunctionExporter exporter(const ExportCallback& callback,
                                 const std::function<std::vector<array>(const Args&)>& fun,
                                 bool shapeless = false) {
  return FunctionExporter(callback, detail::exported(fun), shapeless);
}
inline FunctionExporter exporter(const ExportCallback& callback,
                                 const std::function<std::vector<array>(const Kwargs&)>& fun,
                                 bool shapeless = false) {
  return FunctionExporter(callback, detail::exported(fun), shapeless);
}
inline FunctionExporter exporter(
    const ExportCallback& callback,
    const std::function<std::vector<array>(const Args&, const Kwargs&)>& fun,
    bool shapeless = false) {
  return FunctionExporter(callback, detail::exported(fun), shapeless);
}

inline void export_function(const std::string& file,
                            const std::function<std::vector<array>(const Args&)>& fun,
                            const Args& args, bool shapeless = false,
                            const std::string& metadata = "") {
  heddle::export_function(file, detail::exported(fun), detail::in(args), {},
                          heddle::ExportOptions{shapeless, metadata});
}
inline void export_function(const std::string& file,
                            const std::function<std::vector<array>(const Kwargs&)>& fun,
                            const Kwargs& kwargs, bool shapeless = false,
                            const std::string& metadata = "") {
  heddle::export_function(file, detail::exported(fun), {}, detail::in(kwargs),
                          heddle::ExportOptions{shapeless, metadata});
}
inline void export_function(
    const std::string& file,
    const std::function<std::vector<array>(const Args&, const Kwargs&)>& fun, const Args& args,
    const Kwargs& kwargs, bool shapeless = false, const std::string& metadata = "") {
  heddle::export_function(file, detail::exported(fun), detail::in(args), detail::in(kwargs),
                          heddle::ExportOptions{shapeless, metadata});
}
inline void export_function(const ExportCallback& callback,
                            const std::function<std::vector<array>(const Args&)>& fun,
                            const Args& args, bool shapeless = false) {
  exporter(callback, fun, shapeless)(args);
}
inline void export_function(const ExportCallback& callback,
                            const std::function<std::vector<array>(const Kwargs&)>& fun,
                            const Kwargs& kwargs, bool shapeless = false) {
  exporter(callback, fun, shapeless)(kwargs);
}
inline void export_function(
    const ExportCallback& callback,
    const std::function<std::vector<array>(const Args&, const Kwargs&)>& fun, const Args& args,
    const Kwargs& kwargs, bool shapeless = false) {
  exporter(callback, fun, shapeless)(args, kwargs);
}

struct ImportedFunction {
  explicit ImportedFunction(heddle::ImportedFunction fun) : fun_(std::move(fun)) {}

  std::vector<array> operator()(const std::initializer_list<array>& args) const {
    return (*this)(Args(args));
  }
  std::vector<array> operator()(const Args& args) const { return (*this)(args, {}); }
  std::vector<array> operator()(const Kwargs& kwargs) const { return (*this)({}, kwargs); }
  std::vector<array> operator()(const Args& args, const Kwargs& kwargs) const {
    return detail::out(fun_(detail::in(args), detail::in(kwargs)));
  }
  const std::string& metadata() const { return fun_.metadata(); }

 private:
  heddle::ImportedFunction fun_;
};

inline ImportedFunction import_function(const std::string& file) {
  return ImportedFunction(heddle::import_function(file));
}

}  // namespace mlx::core
