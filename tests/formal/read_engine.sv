// Any fragments and descriptor reads to rw_read_engine: bursts stay in a 4 KiB page and in 256 beats, bring each byte
// of a fragment once and in order, and the gatherer is told of just those bytes. Both kinds of request reach the
// address channel unharmed, in the order in which they were taken, and stay there until they are accepted.
// Relies on: what is offered stays until it is taken; a fragment has a byte at least.
`include "rw_check.svh"
module read_engine #(
    parameter DATA_W = 512,
    parameter BB     = $clog2(DATA_W / 8)
) (
    input logic        clk,
    input logic        rst,
    input logic        s_frag_valid,
    input logic [63:0] s_frag_addr,
    input logic [14:0] s_frag_len,
    input logic        s_frag_first,
    input logic        s_frag_last,
    input logic        s_req_valid,
    input logic [63:0] s_req_addr,
    input logic [7:0]  s_req_len,
    input logic        m_burst_ready,
    input logic        m_axi_arready
);
    logic          s_frag_ready, s_req_ready, m_burst_valid, m_burst_first, m_burst_last, stat_read, idle, awake;
    logic [BB-1:0] m_burst_offset;
    logic [12:0]   m_burst_len;
    logic          m_axi_arid, m_axi_arvalid;
    logic [63:0]   m_axi_araddr;
    logic [7:0]    m_axi_arlen;
    rw_read_engine #(.DATA_W(DATA_W)) dut (.*);

    (* hierconn *) wire        \dut.busy_reg ;
    (* hierconn *) wire [63:0] \dut.addr_reg ;
    (* hierconn *) wire [14:0] \dut.len_reg ;

    // the fragment as it is used up
    logic [14:0] asked;                                // bytes of it that bursts have covered
    logic [63:0] next;                                 // the byte behind them
    wire burst = m_burst_valid && m_burst_ready;
    wire taken = s_req_valid && s_req_ready;
    wire [63:0] from   = (asked == 0) ? s_frag_addr : next;
    wire [63:0] to     = from + {51'd0, m_burst_len - 13'd1};     // its last byte
    wire [15:0] after  = {1'b0, asked} + {3'd0, m_burst_len};
    wire [12:0] beats  = {1'b0, to[11:0] >> BB} - {1'b0, from[11:0] >> BB};    // - 1, in one page
    wire        ends   = after == {1'b0, s_frag_len};

    // the address channel as it should be
    logic        asks, asks_id, held;
    logic [63:0] asks_addr;
    logic [7:0]  asks_len;
    logic        last_frag, last_req;
    logic [95:0] frag;
    logic [71:0] req;

    initial assume (rst);
    always @(posedge clk) begin
        if (m_axi_arready) asks <= 1'b0;
        if (taken || burst) begin
            asks      <= 1'b1;
            asks_id   <= taken;
            asks_addr <= taken ? s_req_addr : (from >> BB) << BB;
            asks_len  <= taken ? s_req_len : beats[7:0];
        end
        if (burst) begin
            asked <= ends ? 15'd0 : after[14:0];
            next  <= from + {51'd0, m_burst_len};
        end
        last_frag <= s_frag_valid && !s_frag_ready;
        last_req  <= s_req_valid && !s_req_ready;
        frag      <= {s_frag_addr, s_frag_len, s_frag_first, s_frag_last};
        req       <= {s_req_addr, s_req_len};
        if (rst) begin
            asks  <= 1'b0;
            asked <= '0;
            last_frag <= 1'b0;
            last_req  <= 1'b0;
        end
        if (!rst) begin
            assume (!s_frag_valid || s_frag_len != 0);
            assume (!last_frag || (s_frag_valid && frag == {s_frag_addr, s_frag_len, s_frag_first, s_frag_last}));
            assume (!last_req || (s_req_valid && req == {s_req_addr, s_req_len}));

            `RW_CHECK(one_request_at_a_time, !(burst && taken))
            `RW_CHECK(nothing_waiting_is_overwritten, !(burst || taken) || !asks || m_axi_arready)
            `RW_CHECK(a_burst_is_of_a_fragment, !m_burst_valid || s_frag_valid)
            `RW_CHECK(a_burst_has_bytes, !burst || m_burst_len != 0)
            `RW_CHECK(a_burst_ends_within_its_fragment, !burst || after <= {1'b0, s_frag_len})
            `RW_CHECK(a_burst_stays_in_4_kib, !burst || from[63:12] == to[63:12])
            `RW_CHECK(a_burst_has_256_beats_at_most, !burst || beats <= 255)
            `RW_CHECK(a_burst_is_as_long_as_it_can_be,
                      !burst || ends || &to[11:0] || (DATA_W == 64 && &to[10:0]))
            `RW_CHECK(offset_of_its_first_byte, !burst || m_burst_offset == from[BB-1:0])
            `RW_CHECK(first_burst_of_a_frame, !burst || m_burst_first == (s_frag_first && asked == 0))
            `RW_CHECK(last_burst_of_a_frame, !burst || m_burst_last == (s_frag_last && ends))
            `RW_CHECK(a_fragment_is_done_with_its_last_byte, (s_frag_valid && s_frag_ready) == (burst && ends))
            `RW_CHECK(descriptors_go_first, !(burst && s_req_valid))
            `RW_CHECK(never_idle_with_a_request,
                      !(s_frag_valid && m_burst_ready && !s_req_valid && (!asks || m_axi_arready)) || burst)
            `RW_CHECK(channel_asks_for_what_was_taken, m_axi_arvalid == asks && (!asks
                || {m_axi_arid, m_axi_araddr, m_axi_arlen} == {asks_id, asks_addr, asks_len}))
            `RW_CHECK(counted, stat_read == burst)
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(burst || taken || m_axi_arvalid))
            // what the engine knows of the rest of a fragment
            `RW_CHECK(inside_a_fragment, \dut.busy_reg == (asked != 0) && (asked == 0 || s_frag_valid))
            `RW_CHECK(rest_of_a_fragment, asked == 0 || (asked < s_frag_len && \dut.addr_reg == from
                && \dut.len_reg == s_frag_len - asked))

            in_three_bursts: cover (burst && ends && asked > 15'd4096 - 15'd512 && from[10:0] == 0 && m_burst_last);
            ends_with_its_page: cover (burst && ends && &to[11:0]);
            descriptors_between_two_bursts: cover (taken && asked != 0);
            long_one: cover (burst && m_burst_len > 2000 && beats == m_burst_len >> BB);
            round_the_end_of_memory: cover (burst && to < s_frag_addr);
        end
    end
endmodule
