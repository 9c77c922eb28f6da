"""Trees, beside mlx.utils."""

from collections import OrderedDict, namedtuple

import pytest

from heddle import utils
from side_by_side import assert_same

Pair = namedtuple("Pair", "a b")


def names(side):
    return {
        "P": Pair,
        "D": OrderedDict,
        "f": lambda *arguments: arguments,
        "add": lambda a, b: a + b,
        "single": lambda x: isinstance(x, list) and len(x) == 1,
    }


MAPS = """
utils.tree_map(f, [1, (2, 3), {'a': 4}])
utils.tree_map(f, P(1, [2]))
utils.tree_map(f, P(1, 2), P(3, 4))
utils.tree_map(f, [1, 2], [3, 4], [5, 6])
utils.tree_map(f, [1, 2], (3, 4, 5))
utils.tree_map(f, {'a': 1}, {'a': 2, 'b': 3})
utils.tree_map(f, {'a': [1, 2]}, {'a': {0: 3, 1: 4}})
utils.tree_map(f, D(a=1))
utils.tree_map(f, [[1], 2], is_leaf=single)
utils.tree_map(f, None)
utils.tree_map(f, [None, 1])
utils.tree_map(f, [])
utils.tree_map(f, {})
type(utils.tree_map(lambda x: x, nn.Linear(1, 1)))
utils.tree_map_with_path(f, {'a': [1, P(2, 3)], 'b': {}}, path='x')
utils.tree_map_with_path(f, {'a': [1, P(2, 3)], 'b': {}})
utils.tree_map_with_path(f, [1], [2])
utils.tree_map_with_path(f, [1], path='')
utils.tree_map_with_path(f, 3)
utils.tree_map_with_path(f, [[1]], is_leaf=lambda x: True)
utils.tree_map_with_path(f, {1: 2})
""".strip().splitlines()

FLATTENINGS = """
utils.tree_unflatten([('a.02', 1), ('a.2', 2)])
utils.tree_unflatten([('0', 1), ('-0', 2)])
utils.tree_unflatten([('a.²', 1)])
utils.tree_unflatten([('1', 1), ('0', 2)])
utils.tree_flatten({'a': [1, P(2, 3)], 'b': {}, 'c': [], 'd': None})
utils.tree_flatten(3)
utils.tree_flatten(3, prefix='.a')
utils.tree_flatten([1], prefix='a')
utils.tree_flatten([1], prefix='.a')
utils.tree_flatten({1: {2: 3}, 'x': 4})
utils.tree_flatten({'a': [1]}, destination={})
utils.tree_flatten({'a': [1]}, destination={'q': 1})
utils.tree_flatten({'a': [1]}, destination=[9])
utils.tree_flatten([[1], [2, 3]], is_leaf=single)
utils.tree_flatten({'a.b': 1})
utils.tree_flatten([])
utils.tree_unflatten([('a.b', 1), ('a.c', 2)])
utils.tree_unflatten([('1', 1), ('0', 2)])
utils.tree_unflatten([('0', 1), ('2', 2)])
utils.tree_unflatten([('10', 1), ('9', 2)])
utils.tree_unflatten([('0.a', 1), ('0.b', 3), ('x', 2)])
utils.tree_unflatten([('x', 1), ('0', 2)])
utils.tree_unflatten([('', 1)])
utils.tree_unflatten([('', 1), ('a', 2)])
utils.tree_unflatten([('a', 1), ('a.b', 2)])
utils.tree_unflatten([('a.b', 1), ('a', 2)])
utils.tree_unflatten([('a..b', 1)])
utils.tree_unflatten({'a.0': 1, 'a.1': 2})
utils.tree_unflatten((('a', 1),))
utils.tree_unflatten([])
utils.tree_unflatten({})
""".strip().splitlines()

REDUCTIONS = """
utils.tree_reduce(add, [1, [2, {'a': 3}]])
utils.tree_reduce(add, [1, [2, {'a': 3}]], 10)
utils.tree_reduce(add, [])
utils.tree_reduce(add, [], 0)
utils.tree_reduce(add, 3, 4)
utils.tree_reduce(add, [None, 3])
utils.tree_reduce(add, P(1, 2))
utils.tree_reduce(add, [[1], [2]], None, single)
utils.tree_merge({'a': {'x': 1}}, {'a': {'y': 1}, 'b': 2})
utils.tree_merge({'a': 1}, {'a': 2}, f)
utils.tree_merge([1, 2], [3], f)
utils.tree_merge([{'a': 1}], [{'b': 1}, {'c': 1}])
utils.tree_merge([], [1])
utils.tree_merge({}, [1])
utils.tree_merge([1], {})
utils.tree_merge({'a': None}, {'a': 2})
utils.tree_merge(None, 2)
utils.tree_merge(2, None)
utils.tree_merge((1, None), (None, 2))
utils.tree_merge(P(1, None), P(None, 2))
utils.tree_merge(P(1, None), (None, 2))
utils.tree_merge({'a': {}}, {'a': 2})
utils.tree_merge(1, [2], f)
utils.tree_merge([1], {'a': 2}, f)
utils.tree_merge({'a': 1}, {'a': 2}, lambda a, b: None)
""".strip().splitlines()

ERRORS = """
utils.tree_map(f, [1, 2], [3])
utils.tree_map(f, [1, [2]], [3, 4])
utils.tree_map(f, {'a': 1}, {'b': 3})
utils.tree_flatten({'a': [1]}, destination=3)
utils.tree_reduce(add, [None, None], 0)
utils.tree_merge({'a': 1}, {'a': 2})
utils.tree_merge([1], {'a': 2})
utils.tree_merge({'w': ()}, {'w': {}})
utils.tree_merge((), [])
utils.tree_merge([], {}, f)
utils.tree_merge({}, [])
""".strip().splitlines()


@pytest.mark.parametrize("expression", MAPS + FLATTENINGS + REDUCTIONS + ERRORS)
def test_trees(expression):
    assert_same(expression, names)


def test_flattening_and_back_is_the_identity():
    tree = {"a": [1, {"b": [2, 3]}], "c": {"d": None}}
    assert utils.tree_unflatten(utils.tree_flatten(tree)) == tree


@pytest.mark.parametrize("key", ["02", "+1", "1_0", " 1", "-1", "٣", "1.", "00", "1e3", "0x1"])
def test_keys_that_are_no_indices_are_kept(key):
    """Also where it is the only one, for which MLX makes a list."""
    tree = {key.replace(".", "-"): 1}
    assert utils.tree_unflatten(utils.tree_flatten(tree)) == tree


def test_tuples_with_constructors_of_their_own():
    class Two(tuple):
        def __new__(cls, first, second):
            return super().__new__(cls, (first, second))

    doubled = utils.tree_map(lambda x: 2 * x, Two(1, 2))
    assert type(doubled) is Two and doubled == (2, 4)


def test_a_path_given_twice_is_an_error():
    with pytest.raises(ValueError, match="'a' is given more than once"):
        utils.tree_unflatten([("a", 1), ("a", 2)])


def test_an_absurd_index_allocates_nothing():
    with pytest.raises(ValueError, match="list index 1000000000"):
        utils.tree_unflatten([("layers.1000000000", 1)])
