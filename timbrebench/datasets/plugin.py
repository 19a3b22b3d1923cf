"""What our datasets are."""

from timbrebench.core.interfaces import DatasetInfo
from timbrebench.datasets.gtzan import options as gtzan
from timbrebench.datasets.indexed import guitarset_options as guitarset
from timbrebench.datasets.indexed import maestro_options as maestro
from timbrebench.datasets.indexed import saraga_options as saraga
from timbrebench.datasets.sampling import midi_options as midi
from timbrebench.datasets.starlet.options import Options as StarletOptions
from timbrebench.datasets.starnet.options import LICENCE, PAGE, SIZE
from timbrebench.datasets.starnet.options import Options as StarNetOptions
from timbrebench.datasets.youtube.options import Options as YouTubeOptions

_HERE = "timbrebench.datasets"

DATASETS = [
    DatasetInfo(
        "starlet",
        "seeded chamber pieces for StarNet's instruments, composed and rendered on this machine",
        f"{_HERE}.starlet.dataset:Starlet",
        StarletOptions,
        licence="sound: TimGM6mb.sf2, GPL-2 (carried by pretty_midi)",
        size="300 MB, made on this machine",
        embedded=True,
    ),
    DatasetInfo(
        "starnet",
        "104 pieces performed with two sets of instruments: stems and mixtures",
        f"{_HERE}.starnet.dataset:StarNet",
        StarNetOptions,
        source=PAGE,
        licence=LICENCE,
        citation="Alinoori & Tzerpos, Music-STAR, ISMIR 2022",
        size=SIZE,
    ),
    DatasetInfo(
        "folder",
        "your own audio: ROOT/INSTRUMENT/*.wav, flac, mp3 or ogg, paired where names match",
        f"{_HERE}.folder:Folder",
        licence="yours",
        size="yours",
    ),
    DatasetInfo(
        "midi",
        "your own MIDI files, played by a SoundFont on any instruments: paired",
        f"{_HERE}.midi:Midi",
        midi.Options,
        licence="that of your files; sound: TimGM6mb.sf2, GPL-2 (carried by pretty_midi)",
        size="made on this machine",
        embedded=True,
    ),
    DatasetInfo(
        "gtzan",
        "half-minute excerpts of recordings; the classical ones by default",
        f"{_HERE}.gtzan.dataset:Gtzan",
        gtzan.Options,
        source=gtzan.PAGE,
        licence=gtzan.LICENCE,
        citation=gtzan.CITATION,
        size="1.2 GB to download",
    ),
    DatasetInfo(
        "guitarset",
        "solos and accompaniments on an acoustic guitar by six players",
        f"{_HERE}.guitarset:GuitarSet",
        guitarset.Options,
        source=guitarset.PAGE,
        licence=guitarset.LICENCE,
        citation=guitarset.CITATION,
        size="360 excerpts of 30 s, about 1 GB",
    ),
    DatasetInfo(
        "maestro",
        "piano performances with their MIDI, which other instruments may play: pairs",
        f"{_HERE}.maestro:Maestro",
        maestro.Options,
        source=maestro.PAGE,
        licence=maestro.LICENCE,
        citation=maestro.CITATION,
        size="200 hours, over 100 GB",
    ),
    DatasetInfo(
        "saraga",
        "Carnatic concerts: the ensemble, or each musician",
        f"{_HERE}.saraga:Saraga",
        saraga.Options,
        source=saraga.PAGE,
        licence=saraga.LICENCE,
        citation=saraga.CITATION,
        size="249 recordings, as MP3",
    ),
    DatasetInfo(
        "youtube",
        "recordings that your list names (CSV: instrument, title, url), fetched by yt-dlp",
        f"{_HERE}.youtube.dataset:YouTube",
        YouTubeOptions,
        licence="that of each recording",
        citation="after Prioteasa & Stempel-Hauburger 2025",
        size="at most 30 minutes a recording",
    ),
]
