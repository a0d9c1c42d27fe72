"""What the last review of the plan found."""

from imgpool.batch import plan
from imgpool.core.recipe import Recipe
from imgpool.core.task import Task


def test_what_a_recipe_makes_of_each_kind_is_asked_once_a_run_not_once_a_file(tmp_path, monkeypatch):
    asked = []
    changed = plan._changed
    monkeypatch.setattr(plan, "_changed", lambda recipe, probe: asked.append(probe) or changed(recipe, probe))
    tasks = [Task(str(tmp_path / f"{index}.png"), str(tmp_path / "out" / f"{index}.png"), 1, 1) for index in range(50)]
    plan.refuse_unholdable(tasks, Recipe.from_specs(["gaussian"]))
    assert len(asked) == len(plan.PROBES)
