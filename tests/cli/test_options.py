"""The options that come from tables."""

from daemon.cli.options import MACHINE_OPTIONS, RECIPE_OPTIONS
from daemon.config.models import Config, Output, RecipeSettings


def test_every_setting_of_the_recipe_is_an_option_and_every_option_is_a_setting() -> None:
    assert set(RECIPE_OPTIONS) == set(RecipeSettings.model_fields)
    assert set(MACHINE_OPTIONS) <= {*Config.model_fields, *Output.model_fields}
