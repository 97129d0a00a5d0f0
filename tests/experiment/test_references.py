"""References between keys, and ``_target_`` wherever it stands: properties over trees of any shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vqbench.errors import VqbenchError
from vqbench.experiment.config.references import MOST_REFERRED, check_references
from vqbench.experiment.config.targets import check_targets, targets, values

KEYS = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.lists(KEYS, min_size=1, max_size=2).map(".".join)
REFERENCES = PATHS.map(lambda path: f"${{{path}}}")
TEXTS = st.one_of(st.integers(0, 9), st.sampled_from(["x", "y z"]), REFERENCES, st.lists(REFERENCES).map("-".join))
TREES = st.recursive(
    TEXTS, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3), max_leaves=10
)


@given(st.dictionaries(KEYS, TREES, min_size=1))
def test_what_passes_resolves_in_one_step(tree: dict) -> None:
    """And holds no reference afterwards; OmegaConf never has to follow one from another."""
    try:
        check_references(tree, ())
    except VqbenchError:
        return
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    except OmegaConfBaseException:  # a mapping in the midst of text
        return
    assert not [value for _, value in values(resolved) if "${" in str(value)]


@given(
    st.sampled_from(
        ["oc.env:HOME", "oc.decode:1", "oc.create:{}", "hydra:job", "now:%Y", "a,b", "", "a:", ".a", "a..b"]
    )
)
def test_a_resolver_is_refused_wherever_it_stands(inside: str) -> None:
    for text in (
        f"${{{inside}}}",
        f"x${{{inside}}}y",
        f"${{a}}${{{inside}}}",
        f"\\${{{inside}}}",
        f"${{${{{inside}}}}}",
    ):
        with pytest.raises(VqbenchError, match=r"b\[0\].c = "):
            check_references({"a": 1, "b": [{"c": text}]}, ())


def test_references_are_counted_by_what_they_stand_for() -> None:
    long = "x" * (MOST_REFERRED // 10)
    check_references({"a": long, "b": "${a}" * 9}, ())
    with pytest.raises(VqbenchError, match="too much"):
        check_references({"a": long, "b": "${a}" * 11}, ())


def test_some_keys_are_written_out() -> None:
    with pytest.raises(VqbenchError, match=r"plugins\[0\] = \$\{a\}: must be written out"):
        check_references({"a": "x", "plugins": ["${a}"]}, ("plugins",))


@given(TREES, st.sampled_from(["os.system", "vqbench.results.folder.write_text", ["os.system"], 3, ""]))
def test_a_target_is_found_at_any_depth(tree: object, target: object) -> None:
    for config in (
        {"a": [tree, {"_target_": target, "b": tree}]},
        {"_target_": target},
        {"quantizer": {"x": [[[tree, {"_target_": target}]]]}},
    ):
        assert list(targets(config))
        with pytest.raises(VqbenchError, match="_target_.*not a class of vqbench"):
            check_targets(config)
    check_targets({"a": tree, "b": {"_target_": "vqbench.metrics.overlap.Overlap"}})
