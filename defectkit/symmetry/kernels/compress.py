"""Those of eight numbers side by side that are wanted, moved together.

Processors with AVX-512 have an instruction for it; elsewhere each number is written where the next
wanted one will overwrite it if it is not wanted itself.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..._compiled import FLOAT, FLOATS, INT, NOTHING, SHORTS

AT_ONCE = 8
MASK = types.uint8  # bit m: whether number m is wanted


def _vector(builder, pointer, kind):
    """Eight numbers from a pointer on."""
    return builder.load(
        builder.bitcast(pointer, ir.VectorType(kind, AT_ONCE).as_pointer()), align=4
    )


def _same(builder, value):
    """A number eight times."""
    many = ir.Constant(ir.VectorType(value.type, AT_ONCE), ir.Undefined)
    one = builder.insert_element(many, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), AT_ONCE), [0] * AT_ONCE)
    return builder.shuffle_vector(one, many, zeros)


def _store_wanted(context, builder, mask, values, pointer):
    """Stores the wanted ones of a vector from a pointer on, and anything after them."""
    kind = values.type.element
    wanted = builder.bitcast(mask, ir.VectorType(ir.IntType(1), AT_ONCE))
    if "+avx512vl" in context.codegen().magic_tuple()[2]:
        name = f"v{AT_ONCE}" + (f"i{kind.width}" if isinstance(kind, ir.IntType) else "f64")
        called = builder.module.declare_intrinsic(
            f"llvm.x86.avx512.mask.compress.{name}",
            fnty=ir.FunctionType(values.type, [values.type, values.type, wanted.type]),
        )
        packed = builder.call(called, [values, ir.Constant(values.type, ir.Undefined), wanted])
        place = builder.bitcast(pointer, values.type.as_pointer())
        builder.store(packed, place, align=4)
        return
    for m in range(AT_ONCE):
        at = ir.Constant(ir.IntType(32), m)
        builder.store(builder.extract_element(values, at), pointer)
        step = builder.zext(builder.extract_element(wanted, at), ir.IntType(64))
        pointer = builder.gep(pointer, [step])


@intrinsic
def below(typingctx, numbers, n, limit):
    """Mask of which of eight numbers, from number n on, are less than `limit`."""

    def code(context, builder, signature, args):
        values = _vector(builder, builder.gep(args[0], [args[1]]), ir.DoubleType())
        wanted = builder.fcmp_ordered("<", values, _same(builder, args[2]))
        return builder.bitcast(wanted, ir.IntType(AT_ONCE))

    return MASK(FLOATS, INT, FLOAT), code


@intrinsic
def count(typingctx, mask):
    """How many are wanted."""

    def code(context, builder, signature, args):
        return builder.zext(builder.ctpop(args[0]), ir.IntType(64))

    return INT(MASK), code


@intrinsic
def move(typingctx, mask, numbers, n, to, m):
    """Copies the wanted ones of eight numbers to another row, from n to m on; writes eight."""

    def code(context, builder, signature, args):
        values = _vector(builder, builder.gep(args[1], [args[2]]), ir.DoubleType())
        _store_wanted(context, builder, args[0], values, builder.gep(args[3], [args[4]]))
        return context.get_dummy_value()

    return NOTHING(MASK, FLOATS, INT, FLOATS, INT), code


@intrinsic
def move_range(typingctx, mask, first, to, m):
    """As `move`, of the integers from `first` on."""

    def code(context, builder, signature, args):
        one_after_another = ir.Constant(
            ir.VectorType(ir.IntType(32), AT_ONCE), list(range(AT_ONCE))
        )
        begin = _same(builder, builder.trunc(args[1], ir.IntType(32)))
        values = builder.add(begin, one_after_another)
        _store_wanted(context, builder, args[0], values, builder.gep(args[2], [args[3]]))
        return context.get_dummy_value()

    return NOTHING(MASK, INT, SHORTS, INT), code
