"""The compiled twins: every `sbc/**/x.py` with an `x.pxd` beside it is built by Cython into `x.*.so`.

The `.py` stays the source of both; the `.pxd` adds the C types. Extensions are optional: without a compiler, or with
SBC_PURE=1, there are none, and the same modules run as Python. A twin that is no longer built, or could not be, is
removed, so that a stale one is never run.

    python setup.py build_ext --inplace       builds again what has changed
"""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "initializedcheck": False,
              "annotation_typing": False}  # the types are those of the .pxd


def twins() -> list[Extension]:
    """One optional extension for each module that has its types beside it."""
    if os.environ.get("SBC_PURE") == "1":
        return []
    shared = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "sbc").rglob("*.pxd"))]
    found = []
    for types in sorted((ROOT / "sbc").rglob("*.pxd")):
        written = types.with_suffix(".pyx")  # octets.py has its twin under a name of its own: it is written in C terms
        source = (written if written.exists() else types.with_suffix(".py")).relative_to(ROOT)
        found.append(Extension(
            ".".join(source.with_suffix("").parts), [source.as_posix()], optional=True, depends=shared,
            extra_compile_args=["-O3", "-g0"]))
    return found


class BuildTwins(build_ext):
    """Translates at build time only, so that asking for the package's metadata needs no Cython. Uses all processors."""

    def run(self) -> None:
        self.extensions = self.translated()
        self.parallel = self.parallel or os.cpu_count()
        kept = {ROOT / self.get_ext_filename(extension.name) for extension in self.extensions}
        for built in (ROOT / "sbc").rglob("*.so"):
            if built not in kept:
                built.unlink()
        super().run()

    def translated(self) -> list[Extension]:
        """Those that Cython could turn into C; it prints what is wrong with the others, which stay plain Python."""
        if not self.extensions:
            return []
        from Cython.Build import cythonize  # noqa: PLC0415  only a build needs it
        from Cython.Compiler.Errors import CompileError  # noqa: PLC0415

        kept = []
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            begun = [(extension, pool.submit(cythonize, [extension], compiler_directives=DIRECTIVES, quiet=True))
                     for extension in self.extensions]
            for extension, done in begun:
                try:
                    extension.sources = done.result()[0].sources
                    kept.append(extension)
                except CompileError as fault:
                    self.warn(f"{extension.name} stays plain Python: {fault}")
        return kept

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except BaseException:
            for stale in (Path(self.get_ext_fullpath(ext.name)), ROOT / self.get_ext_filename(ext.name)):
                stale.unlink(missing_ok=True)
            raise


setup(ext_modules=twins(), cmdclass={"build_ext": BuildTwins})
