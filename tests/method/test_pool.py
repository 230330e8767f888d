import torch

from kp.method.step import ImagePool


def numbered(start, stop):
    return torch.arange(start, stop, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()


def values(images):
    return [int(image[0, 0, 0]) for image in images]


def test_filling_gives_the_batch_back():
    pool, batch = ImagePool(4), numbered(0, 4)
    assert torch.equal(pool.exchange(batch, torch.Generator()), batch)
    assert values(pool.images) == [0, 1, 2, 3]


def test_a_full_pool_loses_and_invents_nothing():
    pool, generator = ImagePool(10), torch.Generator().manual_seed(0)
    pool.exchange(numbered(0, 10), generator)
    out = pool.exchange(numbered(10, 40), generator)
    assert out.shape == (30, 1, 2, 2)
    assert sorted(values(out) + values(pool.images)) == list(range(40))


def test_half_of_the_newcomers_are_exchanged():
    pool, generator = ImagePool(50), torch.Generator().manual_seed(0)
    pool.exchange(numbered(0, 50), generator)
    newcomers = numbered(50, 2050)
    same = [a == b for a, b in zip(values(pool.exchange(newcomers, generator)), values(newcomers), strict=True)]
    assert 0.46 < sum(same) / 2000 < 0.54


def test_same_generator_same_choice():
    first, second = ImagePool(5), ImagePool(5)
    outs = [
        [values(p.exchange(numbered(i, i + 8), g)) for i in range(0, 80, 8)]
        for p, g in ((first, gen()), (second, gen()))
    ]
    assert outs[0] == outs[1] and values(first.images) == values(second.images)


def gen():
    return torch.Generator().manual_seed(3)


def test_no_gradient_passes():
    batch = torch.rand(2, 1, 2, 2, requires_grad=True)
    assert not ImagePool().exchange(batch * 2, torch.Generator()).requires_grad


def test_stored_images_do_not_keep_their_whole_batch():
    pool = ImagePool(50)
    pool.exchange(torch.rand(16, 1, 8, 8), torch.Generator())
    assert pool.images[0].untyped_storage().nbytes() == 8 * 8 * 4
