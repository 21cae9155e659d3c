"""Random sequences of actions, some of which cannot be done."""

from typing import Any

from hypothesis import strategies as st

SIZE = (30, 40)  # (H, W)
_points = st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1)).map(lambda p: [float(p[0]), float(p[1])])
_ids = st.integers(1, 5)
_names = st.sampled_from(["", "sky", " tree "])
_quads = st.lists(_points, min_size=4, max_size=4)

CONTENTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"kind": st.just("add"), "points": _quads}),
    st.fixed_dictionaries({"kind": st.just("add"), "points": _quads, "name": _names}),
    st.fixed_dictionaries({"kind": st.just("move"), "region": _ids, "points": _quads}),
    st.fixed_dictionaries(
        {
            "kind": st.just("scribbles"),
            "strokes": st.lists(
                st.fixed_dictionaries({"region": _ids, "points": st.lists(_points, min_size=1, max_size=3)}),
                min_size=1,
                max_size=3,
            ),
        }
    ),
    st.fixed_dictionaries({"kind": st.sampled_from(["delete", "unlock"]), "region": _ids}),
    st.fixed_dictionaries({"kind": st.just("merge"), "region": _ids, "other": _ids}),
    st.fixed_dictionaries(
        {"kind": st.just("describe"), "region": _ids, "name": _names, "category": st.none() | st.integers(0, 3)}
    ),
    st.fixed_dictionaries({"kind": st.just("reorder"), "order": st.permutations([1, 2, 3])}),
    st.fixed_dictionaries({"kind": st.just("lock"), "region": _ids, "mask": st.just("1234")}),
    st.fixed_dictionaries({"kind": st.just("fill"), "filled": st.booleans()}),
    st.fixed_dictionaries({"kind": st.just("finish"), "done": st.booleans()}),
    st.fixed_dictionaries({"kind": st.sampled_from(["undo", "redo"])}),
)
SEQUENCES = st.lists(CONTENTS, max_size=25)
