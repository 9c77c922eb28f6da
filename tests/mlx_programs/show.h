// What the programs of this folder print: values one by one, so that two engines can be compared.
#pragma once

#include <cmath>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "mlx/mlx.h"

namespace programs {

namespace mx = mlx::core;

template <class T>
void values(const mx::array& a) {
  const T* data = a.data<T>();
  for (size_t i = 0; i < a.size(); i++) std::cout << " " << data[i];
}

// name: dtype (shape) values
inline void show(const std::string& name, const mx::array& result) {
  mx::array a = mx::contiguous(mx::flatten(result));
  a.eval();
  std::cout << name << ": " << result.dtype() << " " << result.shape() << std::setprecision(9);
  switch (a.dtype()) {
    case mx::bool_:
      values<bool>(a);
      break;
    case mx::int8: {
      mx::array wide = mx::astype(a, mx::int32);
      wide.eval();
      values<int32_t>(wide);
      break;
    }
    case mx::uint8: {
      mx::array wide = mx::astype(a, mx::uint32);
      wide.eval();
      values<uint32_t>(wide);
      break;
    }
    case mx::int16:
      values<int16_t>(a);
      break;
    case mx::uint16:
      values<uint16_t>(a);
      break;
    case mx::int32:
      values<int32_t>(a);
      break;
    case mx::uint32:
      values<uint32_t>(a);
      break;
    case mx::int64:
      values<int64_t>(a);
      break;
    case mx::uint64:
      values<uint64_t>(a);
      break;
    case mx::float16:
      values<mx::float16_t>(a);
      break;
    case mx::bfloat16:
      values<mx::bfloat16_t>(a);
      break;
    case mx::float32:
      values<float>(a);
      break;
    case mx::float64:
      values<double>(a);
      break;
    case mx::complex64: {
      const auto* z = a.data<mx::complex64_t>();
      for (size_t i = 0; i < a.size(); i++) std::cout << " " << z[i].real() << " " << z[i].imag();
      break;
    }
  }
  std::cout << "\n";
}

inline void show(const std::string& name, const std::vector<mx::array>& results) {
  for (size_t i = 0; i < results.size(); i++)
    show(name + "[" + std::to_string(i) + "]", results[i]);
}

inline void show(const std::string& name, const std::pair<mx::array, mx::array>& results) {
  show(name + ".first", results.first);
  show(name + ".second", results.second);
}

// Anything else that a stream takes.
template <class T>
void tell(const std::string& name, const T& value) {
  std::cout << name << ": " << std::setprecision(9) << value << "\n";
}

// The class of the exception that f throws, as a program catches it.
inline void refused(const std::string& name, const std::function<void()>& f) {
  const char* what = "nothing";
  try {
    f();
  } catch (const std::out_of_range&) {
    what = "out_of_range";
  } catch (const std::invalid_argument&) {
    what = "invalid_argument";
  } catch (const std::overflow_error&) {
    what = "overflow_error";
  } catch (const std::runtime_error&) {
    what = "runtime_error";
  } catch (const std::exception&) {
    what = "exception";
  }
  std::cout << name << ": throws " << what << "\n";
}

}  // namespace programs

using programs::refused;
using programs::show;
using programs::tell;
