"""For authors of plugins: checks that a method, dataset or metric keeps its contract.

Each check runs all that it can, then raises one AssertionError that lists every problem::

    from timbrebench.testing import check_plugin

    def test_plugin():
        check_plugin("my_package", options={"my_method": {"width": 4}})

``timbrebench.testing.server`` has a web server that misbehaves, for datasets that download.
"""

from timbrebench.testing.corpus import tiny_corpus
from timbrebench.testing.dataset import check_dataset
from timbrebench.testing.method import check_method
from timbrebench.testing.metric import check_metric
from timbrebench.testing.plugin import check_plugin

__all__ = ["check_dataset", "check_method", "check_metric", "check_plugin", "tiny_corpus"]
