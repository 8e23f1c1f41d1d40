// rw_desc_fetch: of any queue, each posted slot is asked for once, in ring order, none beyond the tail and none twice,
// also where the ring wraps; a burst stays in its aligned group of 8, so in 4 KiB; each descriptor goes to the chunk of
// its group, to its own place, once; the tail is where the doorbell said.
// Relies on: doorbells are checked and post no more than a ring (rw_csr, software); memory answers in order, with as
// many beats as were asked for; the pool keeps what a group was given; a queue is cleared when nothing of it is in
// flight.
`include "rw_check.svh"
module desc_fetch #(
    parameter DATA_W = 256,
    parameter CW     = 3,
    parameter FW     = 1 + CW + 3 + 4
) (
    input logic              clk,
    input logic              rst,
    input logic [1:0]        q_run,
    input logic [1:0]        q_clear,
    input logic              db_valid,
    input logic              db_queue,
    input logic [15:0]       db_tail,
    input logic              m_req_ready,
    input logic              r_valid,
    input logic [DATA_W-1:0] r_data,
    input logic              r_err,
    input logic              r_last,
    input logic [1:0]        can_take,
    input logic [CW-1:0]     take_chunk,
    input logic [CW-1:0]     last_chunk
);
    localparam LOG2 = 4;
    localparam [15:0] RING = 1 << LOG2;
    (* anyconst *) logic [127:0] ring_base;
    wire [7:0]         ring_log2 = {2{LOG2[3:0]}};
    logic              m_req_valid, take_valid, take_queue, last_queue, idle, awake;
    logic [63:0]       m_req_addr;
    logic [7:0]        m_req_len;
    logic [5:0]        take_group, last_group;
    logic [1:0]        wr_lanes, fetch_failed, none_in_flight;
    logic [CW-1:0]     wr_chunk;
    logic [2:0]        wr_slot;
    logic [DATA_W-1:0] wr_data;
    logic [31:0]       arrived, asked, tail;
    logic [3:0]        stat_fetched;
    rw_desc_fetch #(.DATA_W(DATA_W), .QUEUES(2), .CW(CW)) dut (.*);

    (* hierconn *) wire          \dut.go , \dut.sel_reg , \dut.sel_valid_reg , \dut.inside_reg , \dut.fly_valid ;
    (* hierconn *) wire [6:0]    \dut.flying_reg[0] , \dut.flying_reg[1] ;
    (* hierconn *) wire [3:0]    \dut.number , \dut.row_reg ;
    (* hierconn *) wire [FW-1:0] \dut.fly_in , \dut.fly_out , \dut.flying.mem[0] , \dut.flying.mem[1] ;
    (* hierconn *) wire [1:0]    \dut.flying.wr_reg , \dut.flying.rd_reg ;
    (* hierconn *) wire          \dut.flying.valid_reg ;
    wire [1:0]  queued  = \dut.flying.wr_reg - \dut.flying.rd_reg ;
    wire [1:0]  flights = queued + {1'b0, \dut.flying.valid_reg };
    wire [1:0]  first_flight = \dut.flying.rd_reg - {1'b0, \dut.flying.valid_reg };
    wire [3*FW-1:0] list = {\dut.flying.rd_reg [0] ? {\dut.flying.mem[0] , \dut.flying.mem[1] }
        : {\dut.flying.mem[1] , \dut.flying.mem[0] }, \dut.fly_out };         // the oldest lowest

    // ---- the burst whose beats come: {queue, chunk, first slot in its group, number}
    wire [FW-1:0] burst = \dut.fly_out ;
    wire [3:0]  from = {1'b0, burst[6:4]};
    wire [3:0]  end_at = from + burst[3:0];
    logic       inside;
    logic [3:0] at;                                    // its next slot
    wire [3:0]  now_at = inside ? at : from;
    wire [3:0]  row    = {now_at[3:1], 1'b0};
    wire [1:0]  lanes  = {row + 4'd1 < end_at, !now_at[0]};
    wire [3:0]  count  = {3'd0, lanes[0]} + {3'd0, lanes[1]};
    wire        keeps  = r_valid && !r_err && !fetch_failed[burst[FW-1]];
    logic [2:0] out;                                   // bursts that memory is to answer
    logic       legal;
    logic [FW-1:0] one;
    integer k;
    always_comb begin
        legal = 1'b1;
        for (k = 0; k < 3; k = k + 1) begin
            one = list[k*FW +: FW];
            if (k < flights && (one[3:0] == 0 || {2'd0, one[6:4]} + {1'b0, one[3:0]} > 5'd8)) legal = 1'b0;
        end
    end

    initial assume (rst);
    always @(posedge clk) begin
        if (r_valid) begin
            inside <= !r_last;
            at     <= row + 4'd2;
        end
        out <= out + {2'd0, \dut.go } - {2'd0, r_valid && r_last};
        if (rst) begin
            inside <= 1'b0;
            out    <= '0;
        end
        if (!rst) begin
            assume (ring_base[6:0] == 0 && ring_base[70:64] == 0);
            assume (!db_valid || db_tail < RING);
            assume (!r_valid || (out != 0 && r_last == (row + 4'd2 >= end_at)));
            assume ((q_clear & ~none_in_flight) == 0 && (q_clear & q_run) == 0);

            `RW_CHECK(asked_for_when_it_is_taken, \dut.go == (m_req_valid && m_req_ready))
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(\dut.go || m_req_valid || r_valid))
            `RW_CHECK(written_into_its_chunk,
                      wr_lanes == 0 || (wr_chunk == burst[7 +: CW] && wr_slot == row[2:0] && wr_data == r_data))
            `RW_CHECK(written_once, wr_lanes == (keeps ? lanes : 2'd0) && stat_fetched == (keeps ? count : 4'd0))
            // what the block knows
            `RW_CHECK(bursts, {1'b0, flights} == out && queued <= 2 && legal
                && (\dut.flying.valid_reg || queued == 0))
            `RW_CHECK(beats, \dut.inside_reg == inside && (!inside
                || (\dut.row_reg == at && !at[0] && at > from && at < end_at && out != 0)))
            two_in_flight: cover (flights == 2 && inside && list[FW-1] != list[2*FW-1]);
        end
    end

    // ---- each queue
    wire          asks = \dut.go , sel = \dut.sel_reg , sel_valid = \dut.sel_valid_reg ;
    wire [3:0]    number = \dut.number ;
    wire [FW-1:0] fly_in = \dut.fly_in ;
    desc_fetch_queue #(.LOG2(LOG2), .CW(CW), .FW(FW)) first (.q(1'b0), .in_flight(\dut.flying_reg[0] ), .*);
    desc_fetch_queue #(.LOG2(LOG2), .CW(CW), .FW(FW)) second (.q(1'b1), .in_flight(\dut.flying_reg[1] ), .*);
endmodule

// One of the queues.
module desc_fetch_queue #(
    parameter LOG2 = 4,
    parameter CW   = 3,
    parameter FW   = 11
) (
    input logic            clk,
    input logic            rst,
    input logic            q,
    input logic [1:0]      q_run,
    input logic [1:0]      q_clear,
    input logic [127:0]    ring_base,
    input logic            db_valid,
    input logic            db_queue,
    input logic [15:0]     db_tail,
    input logic            asks,                       // a burst is asked for
    input logic            sel,                        // ... by this queue
    input logic            sel_valid,
    input logic [3:0]      number,
    input logic [1:0]      can_take,
    input logic            take_valid,
    input logic            take_queue,
    input logic [5:0]      take_group,
    input logic [CW-1:0]   take_chunk,
    input logic            last_queue,
    input logic [5:0]      last_group,
    input logic [CW-1:0]   last_chunk,
    input logic [63:0]     m_req_addr,
    input logic [7:0]      m_req_len,
    input logic [FW-1:0]   fly_in,
    input logic [3*FW-1:0] list,                       // bursts in flight
    input logic [1:0]      first_flight,
    input logic [1:0]      flights,
    input logic [6:0]      in_flight,
    input logic            r_valid,
    input logic            r_err,
    input logic            keeps,
    input logic [FW-1:0]   burst,
    input logic            inside,
    input logic [3:0]      at,
    input logic [3:0]      now_at,
    input logic [3:0]      end_at,
    input logic [3:0]      count,
    input logic [31:0]     tail,
    input logic [31:0]     asked,
    input logic [31:0]     arrived,
    input logic [1:0]      fetch_failed,
    input logic [1:0]      none_in_flight
);
    localparam [15:0] RING = 1 << LOG2;
    wire [63:0] base = ring_base[q*64 +: 64];
    wire        go   = asks && sel == q;
    logic [15:0] posted, next, here;                   // slots posted, asked for, arrived, counted from the reset on
    logic        failed;
    wire [15:0] last_slot = next + {12'd0, number} - 16'd1;
    wire [15:0] place = next & (RING - 16'd1);
    wire [15:0] rang  = (db_tail - posted) & (RING - 16'd1);
    // all that is in flight of the q follows on what has arrived
    logic        line_up;
    logic [63:0] places;                               // where each of the bursts in flight began
    logic [15:0] place_of, behind, upto;
    logic [3:0]  mine_flying;
    logic [1:0]  entry;
    logic [FW-1:0] each;
    integer n;
    always_comb begin
        line_up = 1'b1;
        upto    = here;
        mine_flying = '0;
        for (n = 0; n < 3; n = n + 1) begin
            entry    = first_flight + n[1:0];
            each     = list[n*FW +: FW];
            place_of = places[entry*16 +: 16];
            behind   = place_of + {12'd0, each[3:0]};
            if (n < flights && each[FW-1] == q) begin
                mine_flying = mine_flying + 4'd1;
                if (n == 0 && inside) place_of = {place_of[15:3], at[2:0]};
                if (place_of != upto || places[entry*16 +: 3] != each[6:4]) line_up = 1'b0;
                if (behind - here > next - here) line_up = 1'b0;
                upto = behind;
            end
        end
        if (upto != next) line_up = 1'b0;
    end
    wire [1:0]   entry_in = first_flight + flights;
    wire [63:0]  from_addr = base + {44'd0, place, 4'd0};
    wire         mine = r_valid && burst[FW-1] == q;

    always @(posedge clk) begin
        if (db_valid && db_queue == q) posted <= posted + rang;
        if (go) next <= last_slot + 16'd1;
        if (go) places[entry_in*16 +: 16] <= next;
        if (mine && r_err) failed <= 1'b1;
        if (mine && keeps) here <= here + {12'd0, count};
        if (rst || q_clear[q]) begin
            posted <= '0;
            next   <= '0;
            here   <= '0;
            failed <= 1'b0;
        end
        if (!rst) begin
            assume (!(db_valid && db_queue == q) || (posted + rang - here <= RING - 16'd1 && !q_clear[q]));
            // ---- tail
            `RW_CHECK(tail_is_where_the_doorbell_said, tail[q*16 +: 16] == posted)
            `RW_CHECK(never_beyond_the_tail, posted - next <= RING - 16'd1 && (!go || last_slot - next < posted - next))
            `RW_CHECK(never_more_than_a_ring, posted - here <= RING - 16'd1 && next - here <= posted - here)
            // ---- bursts
            `RW_CHECK(a_burst_has_slots, !go || (number >= 1 && number <= 8))
            `RW_CHECK(a_burst_stays_in_its_group, !go || next[15:3] == last_slot[15:3])
            `RW_CHECK(a_burst_is_as_long_as_it_can_be, !go || (&last_slot[2:0]) || last_slot + 16'd1 == posted)
            `RW_CHECK(a_burst_stays_in_4_kib, !go || {1'b0, from_addr[11:0]} + {5'd0, number, 4'd0} <= 13'd4096)
            `RW_CHECK(a_new_group_takes_a_chunk, !go || take_valid == (next[2:0] == 0))
            `RW_CHECK(of_its_own, !go || (take_queue == q && take_group == next[8:3] && last_queue == q
                && last_group == next[8:3]))
            `RW_CHECK(takes_only_what_it_may, !(take_valid && take_queue == q) || (can_take[q] && go))
            `RW_CHECK(not_when_stopped, !go || (q_run[q] && !failed))
            `RW_CHECK(each_burst_is_remembered, !go
                || fly_in == {q, (next[2:0] == 0) ? take_chunk : last_chunk, next[2:0], number})
            `RW_CHECK(its_request, !go || (m_req_addr == {from_addr[63:5], 5'd0}
                && m_req_len == {6'd0, last_slot[2:1]} - {6'd0, next[2:1]}))
            // ---- arrival
            `RW_CHECK(in_ring_order, failed || !(mine && keeps) || now_at[2:0] == here[2:0])
            `RW_CHECK(arrived_is_true, arrived[q*16 +: 16] == here && fetch_failed[q] == failed)
            `RW_CHECK(none_in_flight_is_true, !none_in_flight[q] || (mine_flying == 0 && (failed || here == next)))
            // ---- what the block knows
            `RW_CHECK(counters, asked[q*16 +: 16] == next)
            `RW_CHECK(chosen_for_a_reason, !(sel_valid && sel == q) || posted != next)
            `RW_CHECK(flying, in_flight == {3'd0, mine_flying})
            `RW_CHECK(all_follow, failed || line_up)

            wraps: cover (go && next == RING - 8 && number == 8);
            round_the_ring: cover (here == RING + 1 && posted == RING + 3);
            posts_piecemeal: cover (go && next[2:0] == 3 && number == 2);
            fails: cover (failed && mine && flights == 2);
            cleared: cover (q_clear[q] && here == 5);
        end
    end
endmodule
