"""All subjects, by name."""

from tests.fuzz import frames, http1, words
from tests.fuzz.subject import Subject

SUBJECTS: dict[str, Subject] = {
    subject.name: subject for subject in (*http1.SUBJECTS, *frames.SUBJECTS, *words.SUBJECTS)}
