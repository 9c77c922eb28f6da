#include "io/traced_function.h"

#include "io/other_sizes.h"

namespace heddle::io {
namespace {

bool agrees(const Array& a, const Aval& recorded) {
  return a.dtype() == recorded.dtype && a.shape() == recorded.shape;
}

}  // namespace

Attributes Record::attributes() const {
  if (op) return op->attributes();
  Attributes all;
  for (size_t i = 0; i < primitive->fields.size(); i++) {
    all.emplace_back(primitive->fields[i].name, state.values[i]);
  }
  return all;
}

Arrays Record::results(const Arrays& in, const Avals& recorded, const Stream& stream) const {
  if (primitive) return primitive->read(Reading{state, in, recorded, stream});
  op->check(in);
  Avals results = op->infer(in);
  if (results.size() == 1) return {apply(op, in, std::move(results[0]), stream)};
  return apply_multi(op, in, results, stream);
}

Arrays build(const TracedFunction& f, const Arrays& inputs, bool verify, const Refuse& refuse) {
  Arrays slots(f.slots.size());
  for (size_t i = 0; i < inputs.size(); i++) slots[i] = inputs[i];
  for (const auto& [slot, array] : f.constants) slots[static_cast<size_t>(slot)] = array;
  const Stream stream = to_stream({});
  const OtherSizes sizes(f, inputs);
  for (const Record& r : f.records) {
    Arrays in;
    in.reserve(r.inputs.size());
    for (int i : r.inputs) in.push_back(slots[static_cast<size_t>(i)]);
    auto first = f.slots.begin() + r.first_output;
    const Avals recorded(first, first + r.output_count);
    sizes.check(r, in, recorded);
    Arrays out;
    try {
      out = r.results(in, recorded, stream);
    } catch (const std::logic_error& e) {  // what the public functions throw for bad arguments
      refuse(r, e.what());
      if (sizes.differ()) throw std::invalid_argument(sizes.explain(r, e.what()));
      throw;
    } catch (const std::overflow_error& e) {
      refuse(r, e.what());
      throw;
    }
    if (static_cast<int>(out.size()) != r.output_count) {
      std::string problem =
          fmt::format("it has {} results, {} are recorded", out.size(), r.output_count);
      refuse(r, problem);
      throw std::invalid_argument("[import_function] " + r.name() + ": " + problem);
    }
    for (size_t k = 0; k < out.size(); k++) {
      if (verify && !agrees(out[k], recorded[k])) {
        refuse(r, fmt::format("result {} is {} of shape {}, recorded is {} of shape {}", k,
                              name_of(out[k].dtype()), to_string(out[k].shape()),
                              name_of(recorded[k].dtype), to_string(recorded[k].shape)));
      }
      slots[static_cast<size_t>(r.first_output) + k] = std::move(out[k]);
    }
  }
  Arrays outputs;
  outputs.reserve(f.outputs.size());
  for (int o : f.outputs) outputs.push_back(slots[static_cast<size_t>(o)]);
  return outputs;
}

}  // namespace heddle::io
