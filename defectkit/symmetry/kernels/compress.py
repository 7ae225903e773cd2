"""Those of 8 numbers side by side (16 in single precision) that are wanted, moved together.

Processors with AVX-512 have an instruction for it; elsewhere each number is written where the next
wanted one will overwrite it if it is not wanted itself.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..._compiled import FLOAT, FLOATS, INT, NOTHING, SHORTS, SINGLE, SINGLES

AT_ONCE, AT_ONCE_SINGLE = 8, 16
# Bit m: whether number m is wanted.
MASK, MASK_SINGLE = types.uint8, types.uint16


def _vector(builder, pointer, kind, size):
    """Numbers from a pointer on."""
    return builder.load(builder.bitcast(pointer, ir.VectorType(kind, size).as_pointer()), align=4)


def _same(builder, value, size):
    """A number many times."""
    many = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    one = builder.insert_element(many, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
    return builder.shuffle_vector(one, many, zeros)


def _store_wanted(context, builder, mask, values, pointer):
    """Stores the wanted ones of a vector from a pointer on, and anything after them."""
    kind, size = values.type.element, values.type.count
    wanted = builder.bitcast(mask, ir.VectorType(ir.IntType(1), size))
    if "+avx512vl" in context.codegen().magic_tuple()[2]:
        name = {ir.DoubleType(): "f64", ir.FloatType(): "f32"}.get(kind, "i32")
        called = builder.module.declare_intrinsic(
            f"llvm.x86.avx512.mask.compress.v{size}{name}",
            fnty=ir.FunctionType(values.type, [values.type, values.type, wanted.type]),
        )
        packed = builder.call(called, [values, ir.Constant(values.type, ir.Undefined), wanted])
        place = builder.bitcast(pointer, values.type.as_pointer())
        builder.store(packed, place, align=4)
        return
    for m in range(size):
        at = ir.Constant(ir.IntType(32), m)
        builder.store(builder.extract_element(values, at), pointer)
        step = builder.zext(builder.extract_element(wanted, at), ir.IntType(64))
        pointer = builder.gep(pointer, [step])


def _for_rows(mask_kind, number, numbers, size):
    """`below`, `count` and `move` for rows of one type, `size` numbers at once."""
    kind = ir.DoubleType() if number is FLOAT else ir.FloatType()

    @intrinsic
    def below(typingctx, row, n, limit):
        """Mask of which numbers of a row, from number n on, are less than `limit`."""

        def code(context, builder, signature, args):
            values = _vector(builder, builder.gep(args[0], [args[1]]), kind, size)
            wanted = builder.fcmp_ordered("<", values, _same(builder, args[2], size))
            return builder.bitcast(wanted, ir.IntType(size))

        return mask_kind(numbers, INT, number), code

    @intrinsic
    def count(typingctx, mask):
        """How many are wanted."""

        def code(context, builder, signature, args):
            return builder.zext(builder.ctpop(args[0]), ir.IntType(64))

        return INT(mask_kind), code

    @intrinsic
    def move(typingctx, mask, row, n, to, m):
        """Copies the wanted numbers to another row, from n to m on; writes as many as it reads."""

        def code(context, builder, signature, args):
            values = _vector(builder, builder.gep(args[1], [args[2]]), kind, size)
            _store_wanted(context, builder, args[0], values, builder.gep(args[3], [args[4]]))
            return context.get_dummy_value()

        return NOTHING(mask_kind, numbers, INT, numbers, INT), code

    return below, count, move


below, count, move = _for_rows(MASK, FLOAT, FLOATS, AT_ONCE)
below_single, count_single, move_single = _for_rows(MASK_SINGLE, SINGLE, SINGLES, AT_ONCE_SINGLE)


@intrinsic
def move_range(typingctx, mask, first, to, m):
    """As `move`, of the integers from `first` on."""

    def code(context, builder, signature, args):
        one_after_another = ir.Constant(
            ir.VectorType(ir.IntType(32), AT_ONCE), list(range(AT_ONCE))
        )
        begin = _same(builder, builder.trunc(args[1], ir.IntType(32)), AT_ONCE)
        values = builder.add(begin, one_after_another)
        _store_wanted(context, builder, args[0], values, builder.gep(args[2], [args[3]]))
        return context.get_dummy_value()

    return NOTHING(MASK, INT, SHORTS, INT), code


@intrinsic
def move_times_single(typingctx, mask, row, n, factor, to, m):
    """As `move_single`, times a factor."""

    def code(context, builder, signature, args):
        mask, row, n, factor, to, m = args
        values = _vector(builder, builder.gep(row, [n]), ir.FloatType(), AT_ONCE_SINGLE)
        product = builder.fmul(values, _same(builder, factor, AT_ONCE_SINGLE))
        _store_wanted(context, builder, mask, product, builder.gep(to, [m]))
        return context.get_dummy_value()

    return NOTHING(MASK_SINGLE, SINGLES, INT, SINGLE, SINGLES, INT), code
