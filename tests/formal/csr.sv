// rw_csr, any accesses: each gets one answer, which stays until it is taken; a refused write changes nothing; the
// configuration stays in the bounds on which all other blocks rely, and that of a queue at work stays as it is; a
// doorbell within the ring is passed on once, any other is told as a bad one.
// Relies on: a queue is cleared only in reset.
`include "rw_check.svh"
module csr #(
    parameter QUEUES = 2
) (
    input logic         clk,
    input logic         rst,
    input logic [15:0]  s_axil_awaddr,
    input logic         s_axil_awvalid,
    input logic [31:0]  s_axil_wdata,
    input logic [3:0]   s_axil_wstrb,
    input logic         s_axil_wvalid,
    input logic         s_axil_bready,
    input logic [15:0]  s_axil_araddr,
    input logic         s_axil_arvalid,
    input logic         s_axil_rready,
    input logic         con_ok,
    input logic [1:0]   q_idle,
    input logic [1:0]   q_error,
    input logic [1:0]   q_clear,
    input logic [31:0]  q_head,
    input logic [31:0]  q_asked,
    input logic [31:0]  q_visible,
    input logic [63:0]  stat_value
);
`include "ringwire_regs.svh"
    logic         s_axil_awready, s_axil_wready, s_axil_bvalid, s_axil_arready, s_axil_rvalid;
    logic [1:0]   s_axil_bresp, s_axil_rresp;
    logic [31:0]  s_axil_rdata, commit_bound;
    logic         enable, at_fetch, pacer_open, db_valid, db_queue, con_valid, con_queue, con_arm, idle, awake;
    logic [53:0]  byte_time;
    logic [23:0]  launch_lead;
    logic [35:0]  weights;
    logic [107:0] q_byte_time;
    logic [1:0]   q_enable, q_resetting, irq_mask, bad_doorbell;
    logic [127:0] ring_base, cpl_base, head_addr;
    logic [7:0]   ring_log2;
    logic [31:0]  mod_frames;
    logic [63:0]  mod_ns, cpl_timer_ns;
    logic [9:0]   cpl_threshold;
    logic [5:0]   priorities;
    logic [15:0]  db_tail, con_index;
    logic [4:0]   stat_select;
    rw_csr #(.QUEUES(QUEUES)) dut (.*);
    (* hierconn *) wire        \dut.w_valid_reg , \dut.w_full_reg ;
    (* hierconn *) wire [15:0] \dut.w_addr_reg ;
    (* hierconn *) wire [31:0] \dut.w_data_reg ;

    // ---- the write that is carried out
    logic        writes;                               // taken at the edge before
    logic [15:0] addr;
    logic [31:0] data;
    logic        whole;
    wire w_take = s_axil_awvalid && s_axil_awready;
    wire r_take = s_axil_arvalid && s_axil_arready;
    logic owed, owed_read, held, held_read, told;
    logic [1:0]  resp;
    logic [33:0] answer;

    // ---- any queue
    (* anyconst *) logic queue;
    wire [3:0]   log2 = ring_log2[queue*4 +: 4];
    wire [195:0] ring = {log2, ring_base[queue*64 +: 64], cpl_base[queue*64 +: 64], head_addr[queue*64 +: 64]};
    wire [90:0]  other = {q_enable[queue], irq_mask[queue], mod_frames[queue*16 +: 16], mod_ns[queue*32 +: 32],
                          cpl_threshold[queue*5 +: 5], cpl_timer_ns[queue*32 +: 32], priorities[queue*3 +: 3],
                          q_resetting[queue]};
    wire [88:0]  global_set = {enable, at_fetch, pacer_open, byte_time, commit_bound};
    wire         mine = addr[15:9] == 7'b0001000 && addr[8] == queue;
    wire         tail = writes && whole && mine && addr[7:0] == REG_Q_TAIL[7:0];
    wire         con  = writes && whole && mine && (addr[7:0] == REG_Q_CPL_CONSUMED[7:0] || addr[7:0]
        == REG_Q_CPL_ARM[7:0]);
    wire         in_ring = data < (32'd1 << log2);
    logic [195:0] ring_was;
    logic [90:0]  other_was;
    logic [88:0]  global_was;
    logic         wrote, at_work, clears, mine_was, runs;

    initial assume (rst);
    always @(posedge clk) begin
        writes <= w_take;
        if (w_take) begin
            addr  <= s_axil_awaddr;
            data  <= s_axil_wdata;
            whole <= &s_axil_wstrb;
        end
        owed      <= w_take || (owed && !(s_axil_bvalid && s_axil_bready));
        owed_read <= r_take || (owed_read && !(s_axil_rvalid && s_axil_rready));
        held      <= s_axil_bvalid && !s_axil_bready;
        held_read <= s_axil_rvalid && !s_axil_rready;
        resp      <= s_axil_bresp;
        answer    <= {s_axil_rresp, s_axil_rdata};
        ring_was  <= ring;
        other_was <= other;
        global_was <= global_set;
        wrote     <= writes;
        mine_was  <= mine;
        at_work   <= q_enable[queue] || q_resetting[queue] || !q_idle[queue];
        clears    <= q_clear[queue];
        told      <= 1'b1;
        if (rst) begin
            writes    <= 1'b0;
            owed      <= 1'b0;
            owed_read <= 1'b0;
            held      <= 1'b0;
            held_read <= 1'b0;
            wrote     <= 1'b0;
            told      <= 1'b0;
        end
        if (!rst) begin
            assume ((q_clear & ~q_resetting) == 0);

            // ---- channels
            `RW_CHECK(address_and_data_are_taken_together,
                      s_axil_awready == s_axil_wready && (!s_axil_awready || s_axil_wvalid))
            `RW_CHECK(one_write_at_a_time, !(w_take && owed) || (s_axil_bvalid && s_axil_bready))
            `RW_CHECK(an_answer_for_each_write, s_axil_bvalid == (owed && !writes))
            `RW_CHECK(an_answer_waits, !held || (s_axil_bvalid && s_axil_bresp == resp))
            `RW_CHECK(one_read_at_a_time, !(r_take && owed_read))
            `RW_CHECK(an_answer_for_each_read, s_axil_rvalid == owed_read)
            `RW_CHECK(read_data_wait, !held_read || (s_axil_rvalid && {s_axil_rresp, s_axil_rdata} == answer))
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(w_take || r_take || writes || owed || owed_read))
            // ---- configuration
            `RW_CHECK(refused_writes_change_nothing, !told || (wrote && !s_axil_bresp[1])
                || (ring == ring_was && global_set == global_was && (clears || other == other_was)))
            `RW_CHECK(each_queue_has_registers_of_its_own,
                      !told || (wrote && mine_was) || (ring == ring_was && (clears || other == other_was)))
            `RW_CHECK(a_queue_at_work_keeps_its_ring, !told || !at_work || ring == ring_was)
            `RW_CHECK(a_cleared_queue_stands, !told || !clears || !(q_enable[queue] || q_resetting[queue]))
            `RW_CHECK(a_reset_stands_until_it_is_done, !told || !other_was[0] || clears || q_resetting[queue])
            `RW_CHECK(bounds_of_a_ring,
                      log2 >= MIN_RING_LOG2 && log2 <= MAX_RING_LOG2 && ring[134:128] == 0 && ring[70:64] == 0)
            `RW_CHECK(bounds_of_moderation,
                      !mod_ns[queue*32+31] && !mod_frames[queue*16+15] && !cpl_timer_ns[queue*32+31])
            `RW_CHECK(bounds_of_a_threshold,
                      cpl_threshold[queue*5 +: 5] != 0 && cpl_threshold[queue*5 +: 5] <= MAX_CPL_THRESHOLD)
            // ---- doorbells
            `RW_CHECK(a_doorbell_in_the_ring_is_passed_on,
                      (db_valid && db_queue == queue) == (tail && in_ring && !q_resetting[queue]))
            `RW_CHECK(its_tail, !(db_valid && db_queue == queue) || {16'd0, db_tail} == data)
            `RW_CHECK(any_other_is_a_bad_one,
                      bad_doorbell[queue] == ((tail && !in_ring && !q_resetting[queue]) || (con && !con_ok)))
            `RW_CHECK(consumption_is_passed_on, (con_valid && con_queue == queue) == (con && data[31:16] == 0))
            `RW_CHECK(as_it_is, !con_valid || (con_index == data[15:0] && con_arm == (addr[7:0] == REG_Q_CPL_ARM[7:0])))
            // ---- what the block knows
            `RW_CHECK(carried_out, \dut.w_valid_reg == writes && (!writes || (owed
                && {\dut.w_addr_reg , \dut.w_data_reg , \dut.w_full_reg } == {addr, data, whole})))

            configured: cover (log2 == 9 && ring_base[queue*64+40] && q_enable[queue]);
            refused: cover (held && resp[1] && at_work);
            doorbell: cover (db_valid && db_tail == 70);
            bad_one: cover (bad_doorbell[queue] && tail);
            cleared: cover (clears && !other[0] && other_was[87]);
            reads: cover (held_read && answer[31:0] == ID_VALUE && owed);
        end
    end
endmodule
