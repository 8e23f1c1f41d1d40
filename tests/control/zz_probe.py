from ringwire.nic.descriptors import SegType, pack_offload, Status
from tests.control.bench import Queue, sent, counters, outcomes, take_faults, until
from tests.raw_queue import start, EOP, REPORT
from tests.frames import Frame
from ringwire.nic.registers import GLOBAL_OFFSETS
SUPER = Frame(payload=bytes((5 * n + n // 256) & 0xFF for n in range(10_000)))
def post(q, cut=None):
    f=SUPER.build(); m=q.world.memory
    q.post_raw(pack_offload(SegType.TCP4,1448,54,14,34))
    a=[]
    for b,e in ([(0,len(f))] if cut is None else [(0,cut),(cut,len(f))]):
        a.append(m.map(f[b:e],0)); q.post(a[-1], e-b, REPORT|(EOP if e==len(f) else 0))
    return a
async def probe(world, config):
    kind, at_fetch = config
    start(world, 10_000_000, at_fetch, bound=0 if kind!='half' else 3000)
    q=Queue(world)
    if kind=='read':
        world.memory.forbid(post(q, 54+5*1448)[1])
    else:
        post(q); post(q)
    q.doorbell(); q.enable()
    await until(world, lambda: len(sent(world))>=2, 'two', 10**9, 1000)
    if kind=='global':
        world.port().write(GLOBAL_OFFSETS["CTRL"], 0)
        await world.pause(200_000_000)
        r=(len(sent(world)), await q.get('STATUS'))
        return r
    if kind=='disable':
        q.put('CTRL',0)
        await world.pause(200_000_000)
        return len(sent(world)), outcomes(q.take()), await q.get('STATUS')
    last=await q.reset(10**9)
    take_faults(world)
    return outcomes(q.got), len(sent(world)), await counters(world)
