"""Every layer with what it is called with: the cases of test_nn_layers, and those of the rows in
cpp_layers.cpp that state their inputs. A layer that is nowhere here fails the suite.
"""

import ast
import re
from pathlib import Path

from test_nn_layers import OUTPUTS

PROGRAM = Path(__file__).parent / "cpp_layers.cpp"
STATED = re.compile(r'row\(\s*"([^"]+)",\s*"([^"]+)"')

# An expression, and for each input its shape, a list of integers, or None for one not given.
CASES = [
    *OUTPUTS,
    *((name, ast.literal_eval(inputs)) for name, inputs in STATED.findall(PROGRAM.read_text())),
]


def class_of(expression: str) -> str:
    return expression.partition("(")[0]
