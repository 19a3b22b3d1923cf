"""All that the package registers keeps its contract."""

from timbrebench.testing import check_plugin


def test_the_plugin_keeps_its_contract():
    check_plugin("timbrebench_example")
