"""How often a defect jumps and how fast it diffuses, with error bars, from its track."""

from dataclasses import dataclass

import numpy as np

from .tracking import Track, check_one

SQUARE_A_PER_PS = 1e-4  # cm^2/s


@dataclass(frozen=True)
class Hopping:
    """Jump rate and diffusion coefficient of one defect.

    Attributes
    ----------
    jumps : int
        Number of jumps.
    time : float
        Length of the track (ps).
    rate, rate_error : float
        Jumps per ps and its standard error, from the Poisson distribution of the number of jumps.
        Without a jump the rate is 0 and the error 1/time, what one jump would have given.
    length : float
        Root mean square jump length (Å); NaN without a jump.
    diffusion, diffusion_error : float
        Diffusion coefficient of the defect in three dimensions, sum of the squared jumps over six
        times the time, and its standard error (cm^2/s). Jumps are taken as independent: a defect
        that tends to jump back diffuses more slowly than this. NaN without a jump.
    """

    jumps: int
    time: float
    rate: float
    rate_error: float
    length: float
    diffusion: float
    diffusion_error: float


def hopping(path: Track, dt: float) -> Hopping:
    """Jump rate and diffusion coefficient of the defect of a track.

    The number of jumps is Poisson distributed, and the sum of their squares d^2 is a compound
    Poisson variable: its variance is the sum of d^4.

    Parameters
    ----------
    path : Track
        Of :func:`track`.
    dt : float
        Time between frames (ps).

    Returns
    -------
    Hopping

    Raises
    ------
    ValueError
        A time that is not above 0, a track of one frame.

    Examples
    --------
    >>> from defectkit.defects import track
    >>> path = [[[0, 0, 0]]] * 50 + [[[2, 0, 0]]] * 50
    >>> found, = track(path, 20 * np.eye(3))
    >>> hops = hopping(found, dt=0.1)
    >>> hops.jumps, round(hops.rate, 3), round(hops.length, 2)
    (1, 0.101, 2.0)
    """
    check_one(path)
    if not dt > 0:
        raise ValueError(f"dt={dt}: give the time between frames in ps, above 0.")
    time = float(path.frames[-1] - path.frames[0]) * dt
    if time == 0:
        raise ValueError("the track has one frame; a rate needs a defect seen in two or more.")
    square, n = path.jumps["displacement"] ** 2, len(path.jumps)
    unit = SQUARE_A_PER_PS / (6 * time)
    return Hopping(
        jumps=n,
        time=time,
        rate=n / time,
        rate_error=max(n, 1) ** 0.5 / time,
        length=float(np.sqrt(square.mean())) if n else np.nan,
        diffusion=float(square.sum() * unit) if n else np.nan,
        diffusion_error=float(np.sqrt((square**2).sum()) * unit) if n else np.nan,
    )
