"""A plugin that claims the name of one of ours."""

from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import Method, MethodInfo


class Palette(Method):
    """Not ours."""

    def transfer(self, clips, task, styles, rngs):
        return list(clips)


@hookimpl
def timbrebench_methods():
    summary = "another method called palette"
    return [MethodInfo("palette", summary, "claims_taken_name:Palette", trains=False, mel="")]
