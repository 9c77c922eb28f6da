// Neural networks: activations, losses, initializers, modules and layers, as MLX's Python package
// has them. Optimizers are in heddle/optim.h.
#pragma once

#include "heddle/nn/activation_layers.h"
#include "heddle/nn/activations.h"
#include "heddle/nn/attention.h"
#include "heddle/nn/convolution.h"
#include "heddle/nn/distributed.h"
#include "heddle/nn/functional.h"
#include "heddle/nn/init.h"
#include "heddle/nn/layers.h"
#include "heddle/nn/losses.h"
#include "heddle/nn/module.h"
#include "heddle/nn/normalization.h"
#include "heddle/nn/quantized.h"
#include "heddle/nn/recurrent.h"
#include "heddle/nn/upsample.h"
