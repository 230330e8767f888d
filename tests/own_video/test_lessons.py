import torch

from kp.own_video.lessons import outlines, steadied


def test_an_outline_is_white_where_a_frame_is_not_black():
    frames = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    frames[:, 2:6, 2:5] = torch.tensor([9, 0, 0])  # dark trousers are a subject, too
    seen = outlines(frames, size=4)
    assert seen.shape == (2, 1, 4, 4)
    assert seen[0, 0].tolist() == [[-1, -1, -1, -1], [-1, 1, 0, -1], [-1, 1, 0, -1], [-1, -1, -1, -1]]


def test_one_torn_frame_teaches_nothing_wrong():
    points = torch.zeros(9, 2, 2)
    points[4, 1] = torch.tensor([0.8, -0.5])
    assert torch.equal(steadied(points), torch.zeros(9, 2, 2))


def test_steady_motion_stays_and_jitter_shrinks():
    time = torch.arange(12.0)
    path = torch.stack([0.05 * time, -0.02 * time], -1)[:, None]
    torch.testing.assert_close(steadied(path)[4:-4], path[4:-4], atol=1e-4, rtol=0)
    shaken = path + 0.1 * torch.randn(12, 1, 2, generator=torch.Generator().manual_seed(0))
    assert (steadied(shaken) - path).norm(dim=-1)[2:-2].mean() < 0.6 * (shaken - path).norm(dim=-1)[2:-2].mean()
    assert torch.equal(steadied(path[:1]), path[:1])
