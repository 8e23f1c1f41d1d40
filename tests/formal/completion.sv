// rw_completion: of any queue, each completion that is taken is written once, in order, with the phase of its pass,
// into a slot that software has consumed; writes stay on their channels until taken; what is visible has been
// acknowledged.
// Relies on: a queue has no more completions than its ring has slots (proved of rw_frame_sched); a response follows its
// write; the configuration of a queue at work stays; a queue is cleared when nothing of it is pending.
`include "rw_check.svh"
module completion #(
    parameter DATA_W = 256,
    parameter LOG2   = 6,                              // of the slots of a ring
    parameter DEPTH  = 4,
    parameter EW     = 105,
    parameter AW     = 19,
    parameter VW     = 23                              // of a record, what is looked at
) (
    input logic         clk,
    input logic         rst,
    input logic [63:0]  tod,
    input logic [1:0]   q_enable,
    input logic [1:0]   q_hurry,
    input logic [1:0]   q_clear,
    input logic [9:0]   threshold,
    input logic [63:0]  timer_ns,
    input logic         s_a_valid,
    input logic         s_a_queue,
    input logic [15:0]  s_a_index,
    input logic [3:0]   s_a_status,
    input logic         s_a_tstamp,
    input logic [19:0]  s_a_segments,
    input logic [63:0]  s_a_time,
    input logic         s_b_valid,
    input logic         s_b_queue,
    input logic [15:0]  s_b_index,
    input logic [3:0]   s_b_status,
    input logic         s_b_tstamp,
    input logic [19:0]  s_b_segments,
    input logic [63:0]  s_b_time,
    input logic [1:0]   bad_doorbell,
    input logic [31:0]  tail,
    input logic [1:0]   event_ok,
    input logic         m_axi_awready,
    input logic         m_axi_wready,
    input logic         m_axi_bvalid,
    input logic         m_axi_berr,
    input logic [15:0]  consumes                       // by software, in this cycle
);
`include "ringwire_regs.svh"
    wire [7:0] ring_log2 = {2{LOG2[3:0]}};
    (* anyconst *) logic [127:0] cpl_base, head_addr;
    logic                s_a_ready, s_b_ready, event_valid, event_queue, m_axi_awvalid, m_axi_wlast, m_axi_wvalid;
    logic [63:0]         m_axi_awaddr, deadline;
    logic [7:0]          m_axi_awlen;
    logic [DATA_W-1:0]   m_axi_wdata;
    logic [DATA_W/8-1:0] m_axi_wstrb;
    logic [31:0]         issued, visible;
    logic [1:0]          urgent_seen, write_failed, none_pending;
    logic                stat_cpl, stat_head, deadline_valid, idle, awake;
    rw_completion #(.DATA_W(DATA_W), .QUEUES(2), .DEPTH(DEPTH)) dut (.*);

    (* hierconn *) wire          \dut.busy_reg , \dut.queue_reg , \dut.head_reg ;
    (* hierconn *) wire          \dut.step , \dut.emit , \dut.write_head , \dut.hurry_reg ;
    (* hierconn *) wire [2:0]    \dut.left_reg , \dut.count_reg[0] , \dut.count_reg[1] ;
    (* hierconn *) wire [1:0]    \dut.in_reg[0] , \dut.in_reg[1] , \dut.out_reg[0] , \dut.out_reg[1] ;
    (* hierconn *) wire [15:0]   \dut.head_index_reg ;
    (* hierconn *) wire [15:0]   \dut.ring_reg[0] , \dut.ring_reg[1] ;
    (* hierconn *) wire [255:0]  \dut.line_reg ;
    (* hierconn *) wire [31:0]   \dut.strobe_reg ;
    (* hierconn *) wire [EW-1:0] \dut.mem[0] , \dut.mem[1] , \dut.mem[2] , \dut.mem[3] ;
    (* hierconn *) wire [EW-1:0] \dut.mem[4] , \dut.mem[5] , \dut.mem[6] , \dut.mem[7] ;
    (* hierconn *) wire [2:0]    \dut.acks.wr_reg , \dut.acks.rd_reg ;
    (* hierconn *) wire          \dut.acks.ram_valid_reg ;
    (* hierconn *) wire [1:0]    \dut.acks.out_count_reg ;
    (* hierconn *) wire [AW-1:0] \dut.acks.out_reg , \dut.acks.next_reg , \dut.acks.ram_reg ;
    (* hierconn *) wire [AW-1:0] \dut.acks.mem[0] , \dut.acks.mem[1] , \dut.acks.mem[2] ,
        \dut.acks.mem[3] ;

    // ---- any queue: what it was given and has not written, the oldest lowest
    (* anyconst *) logic queue;
    wire [63:0] base = queue ? cpl_base[127:64] : cpl_base[63:0];
    wire [63:0] head = queue ? head_addr[127:64] : head_addr[63:0];
    wire [15:0] mask = (16'd1 << LOG2) - 16'd1;
    wire [15:0] posted = (queue ? tail[31:16] : tail[15:0]) & mask;
    wire put_a = s_a_valid && s_a_ready && s_a_queue == queue;
    wire put_b = s_b_valid && s_b_ready && s_b_queue == queue;
    wire put_e = event_valid && event_queue == queue;
    wire put   = put_a || put_b || put_e;
    wire [EW-1:0] entry = put_e ? {20'd0, tod, posted, STATUS_BAD_DOORBELL[3:0], 1'b0}
                        : put_a ? {s_a_segments, s_a_time, s_a_index, s_a_status, s_a_tstamp}
                                : {s_b_segments, s_b_time, s_b_index, s_b_status, s_b_tstamp};
    wire step = \dut.step && \dut.queue_reg == queue;  // the oldest one is written, or goes with the next
    // of time and segments any one bit is looked at, of the rest all
    (* anyconst *) logic [6:0] part;
    wire [6:0]           part_at = (part < 64) ? part : part + 7'd32;
    wire [83:0]          wide = entry[104:21] >> part;
    wire [VW-2:0]        view = {wide[0], entry[20:0]};
    logic [DEPTH*(VW-1)-1:0] words;
    logic [2:0]          number;
    wire [2:0]           after = number - {2'd0, step};
    wire [DEPTH*(VW-1)-1:0] moved = step ? words >> (VW - 1) : words;
    wire [VW-2:0]        oldest = words[VW-2:0];
    wire [1:0]           out = queue ? \dut.out_reg[1] : \dut.out_reg[0] ;
    wire [DEPTH*EW-1:0]  mem = queue ? {\dut.mem[7] , \dut.mem[6] , \dut.mem[5] , \dut.mem[4] }
                                     : {\dut.mem[3] , \dut.mem[2] , \dut.mem[1] , \dut.mem[0] };
    logic                same;
    logic [EW-1:0]       word;
    logic [83:0]         word_wide;
    logic [1:0]          back;
    integer n;
    always_comb begin
        same = 1'b1;
        for (n = 0; n < DEPTH; n = n + 1) begin
            word = mem[n*EW +: EW];
            word_wide = word[104:21] >> part;
            back = n[1:0] - out;                       // words before it
            if ({1'b0, back} < number && words[back*(VW-1) +: VW-1] != {word_wide[0], word[20:0]}) same = 1'b0;
        end
    end
    // of a record as it is in memory
    function automatic [VW+21:0] seen_of(input [127:0] lane);
        logic [127:0] turned;
        turned  = lane >> part_at;
        seen_of = {lane[126:116], lane[95:89], lane[87:84], lane[127], turned[0], lane[79:64], lane[83:80], lane[88]};
    endfunction

    // ---- its ring
    logic [15:0] given, written, ring, consumed;       // completions; ring: those written into the ring
    wire [15:0]  slot = ring & mask;
    wire         error = oldest[4:1] != STATUS_OK;
    wire         to_ring = step && (!head[0] || error);
    wire [VW+21:0] record = {22'd0, !ring[LOG2], oldest};
    logic        kept;                                 // a record in the lower half goes with the next
    logic [VW+21:0] kept_record;
    wire emit  = \dut.emit && \dut.queue_reg == queue;
    wire heads = emit && \dut.write_head ;
    wire [15:0] now_written = written + {15'd0, step};
    logic [15:0] last_index;

    // ---- the write channels as they should be, for this queue's writes
    logic         aw, w, own_aw, own_w;
    logic [63:0]  addr;
    logic         head_w;                              // the head record
    logic [VW+21:0] low, high;                         // records, as far as they are looked at
    logic [31:0]  strobe;
    wire  [255:0] head_line = m_axi_wdata >> {head[4:3], 6'd0};
    logic [15:0]  head_number, head_index;
    // ---- writes without a response
    logic [2:0]      waiting;
    logic [6*AW-1:0] acks;                             // {queue, issued, urgent, counts}
    wire [2:0]       acks_after = waiting - {2'd0, m_axi_bvalid};
    wire [6*AW-1:0]  acks_moved = m_axi_bvalid ? acks >> AW : acks;
    wire [AW-1:0]    ack = {\dut.queue_reg , \dut.queue_reg == queue ? now_written : \dut.issued_now ,
                            \dut.hurry_reg || (\dut.step && \dut.entry_err ), \dut.write_head || !\dut.head_mode };
    (* hierconn *) wire [15:0] \dut.issued_now ;
    (* hierconn *) wire        \dut.entry_err , \dut.head_mode ;
    wire [2:0] in_ram = \dut.acks.wr_reg - \dut.acks.rd_reg ;
    wire [1:0] ahead  = \dut.acks.out_count_reg + {1'b0, \dut.acks.ram_valid_reg };
    wire [AW-1:0] second = \dut.acks.ram_valid_reg ? \dut.acks.ram_reg : \dut.acks.next_reg ;
    wire [4*AW-1:0] ram = {\dut.acks.mem[3] , \dut.acks.mem[2] , \dut.acks.mem[1] , \dut.acks.mem[0] };
    logic [15:0] seen;
    logic        acks_same;
    integer m;
    always_comb begin
        acks_same = (ahead == 0 || \dut.acks.out_reg == acks[AW-1:0]) && (ahead < 2 || second == acks[2*AW-1:AW]);
        for (m = 0; m < 4; m = m + 1)
            if (m < in_ram && acks[(m+2)*AW +: AW] != ram[((\dut.acks.rd_reg + m) & 3)*AW +: AW]) acks_same = 1'b0;
    end

    initial assume (rst);
    integer k;
    always @(posedge clk) begin
        for (k = 0; k < DEPTH; k = k + 1) words[k*(VW-1) +: VW-1] <= (put && after == k) ? view
            : moved[k*(VW-1) +: VW-1];
        number   <= after + {2'd0, put};
        given    <= given + {15'd0, put};
        written  <= now_written;
        ring     <= ring + {15'd0, to_ring};
        consumed <= consumed + consumes;
        if (step) last_index <= oldest[20:5];
        if (to_ring) begin
            kept        <= !emit;
            kept_record <= record;
        end
        if (m_axi_awready) aw <= 1'b0;
        if (m_axi_wready)  w <= 1'b0;
        if (\dut.emit ) begin
            aw     <= 1'b1;
            w      <= 1'b1;
            own_aw <= emit;
            own_w  <= emit;
            addr   <= heads ? head & ~64'd31 : (base + {44'd0, slot, 4'd0}) & ~64'd31;
            head_w <= heads;
            low    <= slot[0] ? kept_record : record;
            high   <= record;
            head_number <= written;
            head_index  <= last_index;
            strobe <= heads ? 32'hff << {head[4:3], 3'd0} : slot[0] ? {16'hffff, {16{kept}}} : 32'h0000ffff;
        end
        waiting <= acks_after + {2'd0, \dut.emit };
        for (k = 0; k < 6; k = k + 1) acks[k*AW +: AW] <= (\dut.emit && acks_after == k) ? ack : acks_moved[k*AW +: AW];
        if (m_axi_bvalid && acks[0] && acks[AW-1] == queue) seen <= acks[17:2];
        if (rst || q_clear[queue]) begin
            number   <= '0;
            given    <= '0;
            written  <= '0;
            ring     <= '0;
            consumed <= '0;
            kept     <= 1'b0;
            seen     <= '0;
        end
        if (rst) begin
            aw      <= 1'b0;
            w       <= 1'b0;
            waiting <= '0;
        end
        if (!rst) begin
            assume (base[6:0] == 0 && part < 84);
            assume (consumes <= written - consumed);
            assume (!put || given - consumed < (16'd1 << LOG2));
            assume (!m_axi_bvalid || waiting > {2'd0, aw || w});
            assume (!q_clear[queue] || (none_pending[queue] && !put));
            assume (threshold[4:0] != 0 && threshold[9:5] != 0);

            `RW_CHECK(one_at_a_time,
                      {1'b0, s_a_valid && s_a_ready} + {1'b0, s_b_valid && s_b_ready} + {1'b0, event_valid} <= 1)
            `RW_CHECK(never_more_than_fit, !put || number < DEPTH)
            `RW_CHECK(none_is_lost, given - written == {13'd0, number} && number <= DEPTH)
            `RW_CHECK(none_is_written_twice, !step || number != 0)
            `RW_CHECK(all_are_kept_in_order, same)
            `RW_CHECK(only_into_a_slot_that_is_consumed, !(to_ring && !head[0]) || ring - consumed < (16'd1 << LOG2))
            `RW_CHECK(a_record_goes_with_its_neighbour_or_alone, !(to_ring && kept) || (slot[0] && emit))
            `RW_CHECK(none_stays_behind, !kept || (\dut.busy_reg && \dut.queue_reg == queue && \dut.left_reg != 0))
            `RW_CHECK(counters, (queue ? issued[31:16] : issued[15:0]) == written && (head[0] || ring == written)
                && (queue ? \dut.ring_reg[1] : \dut.ring_reg[0] ) == ring)
            `RW_CHECK(no_write_is_overwritten, !\dut.emit || ((!aw || m_axi_awready) && (!w || m_axi_wready)))
            `RW_CHECK(writes_are_offered, m_axi_awvalid == aw && m_axi_wvalid == w && m_axi_awlen == 0 && m_axi_wlast)
            `RW_CHECK(its_address, !(aw && own_aw) || m_axi_awaddr == addr)
            `RW_CHECK(its_bytes, !(w && own_w) || m_axi_wstrb == strobe)
            `RW_CHECK(its_records, !(w && own_w && !head_w) || ((!strobe[0] || seen_of(m_axi_wdata[127:0]) == low)
                && (!strobe[16] || seen_of(m_axi_wdata[255:128]) == high)))
            `RW_CHECK(its_head, !(w && own_w && head_w) || head_line[63:0] == {32'd0, head_number, head_index})
            `RW_CHECK(visible_once_acknowledged, (queue ? visible[31:16] : visible[15:0]) == seen)
            `RW_CHECK(error_is_told_once_visible, urgent_seen[queue]
                == (m_axi_bvalid && acks[0] && acks[1] && acks[AW-1] == queue))
            `RW_CHECK(failure_is_told, !(m_axi_bvalid && m_axi_berr) || write_failed[acks[AW-1]])
            `RW_CHECK(none_pending_is_true, !none_pending[queue] || (number == 0 && written == seen))
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(put || step || aw || w || m_axi_bvalid))
            // what the block knows
            `RW_CHECK(no_more_than_slots, given - consumed <= (16'd1 << LOG2) && written - consumed <= given - consumed)
            `RW_CHECK(ring_of_entries, number == (queue ? \dut.count_reg[1] : \dut.count_reg[0] )
                && out + number[1:0] == (queue ? \dut.in_reg[1] : \dut.in_reg[0] ))
            `RW_CHECK(batch, !(\dut.busy_reg && \dut.queue_reg == queue) || (\dut.left_reg <= number
                && \dut.head_reg == head[0]
                && (\dut.left_reg != 0 || \dut.head_reg )))
            `RW_CHECK(line, !(\dut.busy_reg && \dut.queue_reg == queue) || (\dut.strobe_reg == {16'd0, {16{kept}}}
                && \dut.line_reg [255:128] == 0 && (kept ? seen_of(\dut.line_reg [127:0]) == kept_record
                : \dut.line_reg == 0) && (!kept || (slot[0] && !head[0]))))
            `RW_CHECK(index_of_the_last, !(\dut.busy_reg && \dut.queue_reg == queue && \dut.left_reg == 0)
                || \dut.head_index_reg == last_index)
            `RW_CHECK(responses, waiting == in_ram + {1'b0, ahead} && ahead <= 2 && (in_ram == 0 || ahead == 2)
                && !(\dut.acks.ram_valid_reg && \dut.acks.out_count_reg == 0) && in_ram <= 4 && acks_same)

            two_in_a_write: cover (w && own_w && (&m_axi_wstrb) && !head[0]);
            second_pass: cover (written == 3 && number == 2 && consumed == 2);
            an_error_beside_the_head: cover (head[0] && written == 2 && ring == 1 && heads);
            responses_late: cover (waiting == 5 && acks[AW-1] == queue);
            seen_all: cover (seen == 2 && none_pending[queue] && q_clear[queue]);
            bad_doorbell_told: cover (to_ring && oldest[4:1] == STATUS_BAD_DOORBELL && tail != 0);
        end
    end
endmodule
