// ringwire transmit engine: descriptor rings in host memory in, Ethernet frames at line rate out, completions and
// interrupts back. This file only wires the stages together; docs/architecture.md walks a packet through them.
//
//   registers - doorbells -> rw_desc_fetch -> rw_desc_pool -> rw_desc_scan -> rw_frame_sched -> rw_sg_walk
//     -> rw_read_engine -> (memory) -> rw_gather -> rw_frame_buffer -> rw_frame_seq -> rw_frame_edit -> rw_egress
//     -> rw_pacer -> wire -> rw_done -> rw_completion -> (memory) -> rw_interrupt
//
// A packet that is cut is picked segment by segment; its header goes from rw_gather to rw_header_slots, and from there to
// the front of each segment in rw_egress.
// Rate: a frame of one beat a cycle inside; on the bus a beat for each beat of payload and one for DATA_W / 128
// descriptors. Latency: doorbell to first beat below 40 cycles plus two reads.
`include "rw_check.svh"
`include "rw_widths.svh"
module ringwire_tx #(
    parameter DATA_W   = 512,                           // data path, bits: 64, 128, 256 or 512
    parameter QUEUES   = 1,                             // transmit queues: 1, 2, 4, 8 or 16
    parameter MAX_DESC = 64,                            // descriptors a packet may have, 1 to 64
    parameter FRAMES   = 512,                           // frames in flight, power of two
    parameter BUF_KIB  = 64,                            // frame buffer, KiB, power of two, at least 32
    parameter FAULTS   = 0                              // 1, in simulation only: one of rw_faults can be switched on
) (
    input  logic                clk,
    input  logic                rst,                    // synchronous, active high
    input  logic [63:0]         tod,                    // time of this clock edge, unsigned 48.16 ns
    // AXI4-Lite registers
    input  logic [15:0]         s_axil_awaddr,
    input  logic [2:0]          s_axil_awprot,
    input  logic                s_axil_awvalid,
    output logic                s_axil_awready,
    input  logic [31:0]         s_axil_wdata,
    input  logic [3:0]          s_axil_wstrb,
    input  logic                s_axil_wvalid,
    output logic                s_axil_wready,
    output logic [1:0]          s_axil_bresp,
    output logic                s_axil_bvalid,
    input  logic                s_axil_bready,
    input  logic [15:0]         s_axil_araddr,
    input  logic [2:0]          s_axil_arprot,
    input  logic                s_axil_arvalid,
    output logic                s_axil_arready,
    output logic [31:0]         s_axil_rdata,
    output logic [1:0]          s_axil_rresp,
    output logic                s_axil_rvalid,
    input  logic                s_axil_rready,
    // AXI4 to host memory; read id 0: payload, 1: descriptors
    output logic [0:0]          m_axi_arid,
    output logic [63:0]         m_axi_araddr,
    output logic [7:0]          m_axi_arlen,
    output logic [2:0]          m_axi_arsize,
    output logic [1:0]          m_axi_arburst,
    output logic                m_axi_arlock,
    output logic [3:0]          m_axi_arcache,
    output logic [2:0]          m_axi_arprot,
    output logic                m_axi_arvalid,
    input  logic                m_axi_arready,
    input  logic [0:0]          m_axi_rid,
    input  logic [DATA_W-1:0]   m_axi_rdata,
    input  logic [1:0]          m_axi_rresp,
    input  logic                m_axi_rlast,
    input  logic                m_axi_rvalid,
    output logic                m_axi_rready,           // always: room is reserved before a read is asked for
    output logic [0:0]          m_axi_awid,
    output logic [63:0]         m_axi_awaddr,
    output logic [7:0]          m_axi_awlen,
    output logic [2:0]          m_axi_awsize,
    output logic [1:0]          m_axi_awburst,
    output logic                m_axi_awlock,
    output logic [3:0]          m_axi_awcache,
    output logic [2:0]          m_axi_awprot,
    output logic                m_axi_awvalid,
    input  logic                m_axi_awready,
    output logic [DATA_W-1:0]   m_axi_wdata,
    output logic [DATA_W/8-1:0] m_axi_wstrb,
    output logic                m_axi_wlast,
    output logic                m_axi_wvalid,
    input  logic                m_axi_wready,
    input  logic [0:0]          m_axi_bid,
    input  logic [1:0]          m_axi_bresp,
    input  logic                m_axi_bvalid,
    output logic                m_axi_bready,
    // AXI stream to the MAC
    output logic [DATA_W-1:0]   m_axis_tdata,
    output logic [DATA_W/8-1:0] m_axis_tkeep,
    output logic                m_axis_tvalid,
    input  logic                m_axis_tready,
    output logic                m_axis_tlast,
    output logic [25:0]         m_axis_tuser,           // {ring index, time stamp asked, error, queue}
    // flow control by the link partner
    input  logic                pause,                  // 802.3x: no frame starts
    input  logic [7:0]          pfc,                    // 802.1Qbb: no frame of these priorities is picked
    // interrupts: a one-cycle pulse each
    output logic [QUEUES-1:0]   irq,
    // for a clock that may stop: nothing will change before an input does or `deadline` comes
    output logic                quiet,
    output logic                deadline_valid,
    output logic [63:0]         deadline                // 48.16 ns
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam QW       = (QUEUES > 1) ? $clog2(QUEUES) : 1;
    localparam BB       = $clog2(DATA_W / 8);
    localparam BUF_LOG2 = $clog2(BUF_KIB * 1024 / (DATA_W / 8));
    localparam META_W   = `RW_META_W(QW);
    localparam EDIT_W   = `RW_EDIT_W;
    localparam REQ_W    = `RW_REQ_W;
    localparam CTX_W    = `RW_CTX_W;
    localparam PATCH_W  = `RW_PATCH_W;
    localparam SLOT_W   = `RW_SLOT_W;
    localparam ROW_W    = SLOT_W + 8 - BB;
    localparam RESERVE  = (MAX_DESC + 7) / 8 + 1;       // chunks of a packet, however it lies in the ring
    localparam AHEAD    = (DATA_W > 128) ? DATA_W / 8 : 16; // chunks that a busy queue may hold
    localparam CHUNKS   = (QUEUES > 1) ? AHEAD + RESERVE * QUEUES : AHEAD;
    localparam CW       = $clog2(CHUNKS);
    localparam LANES    = (DATA_W >= 128) ? DATA_W / 128 : 1;

    generate
        if (DATA_W != 64 && DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_bad_data_w
            initial $fatal(1, "ringwire_tx: DATA_W is %0d; 64, 128, 256 or 512 is allowed", DATA_W);
        end
        if (QUEUES != 1 && QUEUES != 2 && QUEUES != 4 && QUEUES != 8 && QUEUES != 16) begin : g_bad_queues
            initial $fatal(1, "ringwire_tx: QUEUES is %0d; 1, 2, 4, 8 or 16 is allowed", QUEUES);
        end
        if (MAX_DESC < 1 || MAX_DESC > MAX_DESCRIPTORS) begin : g_bad_max_desc
            initial $fatal(1, "ringwire_tx: MAX_DESC is %0d; 1 to 64 is allowed", MAX_DESC);
        end
        if (BUF_KIB != 32 && BUF_KIB != 64 && BUF_KIB != 128) begin : g_bad_buf
            initial $fatal(1, "ringwire_tx: BUF_KIB is %0d; 32, 64 or 128 is allowed", BUF_KIB);
        end
        if (FAULTS != 0 && FAULTS != 1) begin : g_bad_faults
            initial $fatal(1, "ringwire_tx: FAULTS is %0d; 0 or 1 is allowed", FAULTS);
        end
`ifdef SYNTHESIS
        if (FAULTS != 0) begin : g_faults_in_hardware
            initial $fatal(1, "ringwire_tx: FAULTS is %0d; in hardware 0 is allowed", FAULTS);
        end
`endif
    endgenerate

    // ---- a clock for stages that work at the same times: it ticks while one of them is awake
    logic clk_registers, clk_done, clk_scan, clk_pick, clk_read, clk_gather, clk_buffer, clk_header, clk_edit, clk_egress;
    logic csr_awake, queue_reset_awake, stats_awake, done_awake, completion_awake, interrupt_awake, fetch_awake,
          pool_awake, scan_awake, gate_awake, sched_awake, walk_awake, reader_awake, gather_awake,
          frame_buffer_awake, header_slots_awake, seq_awake, editor_awake, egress_awake, pacer_awake;

    // ---- configuration, doorbells, state
    logic                 enable, at_fetch, pacer_open;
    logic [53:0]          byte_time;
    logic [31:0]          commit_bound;
    logic [23:0]          launch_lead;
    logic [QUEUES-1:0]    q_enable, q_resetting, q_clear, q_idle, irq_mask, bad_doorbell;
    logic [QUEUES*64-1:0] ring_base, cpl_base, head_addr;
    logic [QUEUES*4-1:0]  ring_log2;
    logic [QUEUES*16-1:0] mod_frames, arrived, asked, tail, issued, visible, head;
    logic [QUEUES*32-1:0] mod_ns, cpl_timer_ns;
    logic [QUEUES*3-1:0]  priorities;
    logic [QUEUES*18-1:0] weights;
    logic [QUEUES*54-1:0] q_byte_time;
    logic [QUEUES*5-1:0]  cpl_threshold;
    logic                 db_valid, con_valid, con_arm, con_ok;
    logic [QW-1:0]        db_queue, con_queue;
    logic [15:0]          db_tail, con_index, con_number;
    logic [QUEUES-1:0]    fetch_failed, write_failed, write_failed_reg;
    logic [4:0]           stat_select;
    logic [63:0]          stat_value;
    logic [1:0]           bresp;
    logic slots_idle, edit_idle, csr_idle, fetch_idle, pool_idle, scan_idle, sched_idle, walk_idle, read_idle, gather_idle, seq_idle,
          gate_idle, egress_idle, pacer_idle, done_idle, cpl_idle, irq_idle, stats_idle, reset_idle;

    // where a fault may come between two stages: what the second one sees of it
    logic [QUEUES-1:0]    f_irq_mask;
    logic [QUEUES*5-1:0]  f_cpl_threshold;
    logic [QUEUES*32-1:0] f_cpl_timer_ns;
    logic                 f_pause, f_sum_csum, f_frame_valid, f_frame_err, f_beat_valid, f_beat_ready, f_beat_last,
                          f_fetch, f_cpl_valid, f_cpl_ready, f_cpl_tstamp, f_idle;
    logic [13:0]          f_sum_mss;
    logic [63:32]         f_araddr;
    logic [BB-1:0]        f_beat_end;
    logic [QW-1:0]        f_cpl_queue;
    logic [15:0]          f_cpl_index;
    logic [3:0]           f_cpl_status;
    logic [19:0]          f_cpl_segments;

    wire [QUEUES-1:0] q_run   = q_enable & ~q_resetting & ~write_failed_reg;
    wire [QUEUES-1:0] q_error = fetch_failed | write_failed_reg;

    rw_csr #(.DATA_W(DATA_W), .QUEUES(QUEUES), .MAX_DESC(MAX_DESC)) csr (
        .clk(clk_registers), .rst(rst),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid),
        .s_axil_wready(s_axil_wready), .s_axil_bresp(bresp), .s_axil_bvalid(s_axil_bvalid),
        .s_axil_bready(s_axil_bready), .s_axil_araddr(s_axil_araddr), .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),
        .enable(enable), .at_fetch(at_fetch), .pacer_open(pacer_open), .byte_time(byte_time),
        .commit_bound(commit_bound), .launch_lead(launch_lead), .q_enable(q_enable), .q_resetting(q_resetting), .ring_base(ring_base),
        .ring_log2(ring_log2), .cpl_base(cpl_base), .head_addr(head_addr), .irq_mask(irq_mask),
        .mod_frames(mod_frames), .mod_ns(mod_ns), .cpl_threshold(cpl_threshold), .cpl_timer_ns(cpl_timer_ns),
        .priorities(priorities), .weights(weights), .q_byte_time(q_byte_time),
        .db_valid(db_valid), .db_queue(db_queue), .db_tail(db_tail), .con_valid(con_valid), .con_queue(con_queue),
        .con_index(con_index), .con_arm(con_arm), .con_ok(con_ok), .bad_doorbell(bad_doorbell),
        .q_idle(q_idle), .q_error(q_error), .q_clear(q_clear), .q_head(head), .q_asked(asked), .q_visible(visible),
        .stat_select(stat_select), .stat_value(stat_value), .idle(csr_idle), .awake(csr_awake)
    );

    // ---- descriptors
    logic [QUEUES-1:0] can_take, flush, flushed, fetch_none;
    logic          take_valid, give_valid, scan_en, walk_en;
    logic [QW-1:0] take_queue, last_queue, give_queue, scan_queue, walk_queue;
    logic [5:0]    take_group, last_group;
    logic [CW-1:0] take_chunk, last_chunk, wr_chunk;
    logic [LANES-1:0] wr_lanes;
    logic [2:0]    wr_slot;
    logic [LANES*128-1:0] wr_data;
    logic [8:0]    scan_index, walk_index;
    logic [127:0]  scan_data, walk_data;
    logic          req_valid, req_ready;
    logic [63:0]   req_addr;
    logic [7:0]    req_len;
    logic [3:0]    stat_fetched;

    assign m_axi_rready = 1'b1;
    wire r_desc    = m_axi_rvalid && m_axi_rid[0];
    wire r_payload = m_axi_rvalid && !m_axi_rid[0];
    wire r_err     = m_axi_rresp[1];

    rw_desc_fetch #(.DATA_W(DATA_W), .QUEUES(QUEUES), .CW(CW)) fetch (
        .clk(clk_scan), .rst(rst), .q_run(q_run), .q_clear(q_clear), .ring_base(ring_base), .ring_log2(ring_log2),
        .db_valid(db_valid), .db_queue(db_queue), .db_tail(db_tail),
        .m_req_valid(req_valid), .m_req_ready(req_ready), .m_req_addr(req_addr), .m_req_len(req_len),
        .r_valid(r_desc), .r_data(m_axi_rdata), .r_err(r_err), .r_last(m_axi_rlast),
        .can_take(can_take), .take_valid(take_valid), .take_queue(take_queue), .take_group(take_group),
        .take_chunk(take_chunk), .last_queue(last_queue), .last_group(last_group), .last_chunk(last_chunk),
        .wr_lanes(wr_lanes), .wr_chunk(wr_chunk), .wr_slot(wr_slot), .wr_data(wr_data),
        .arrived(arrived), .asked(asked), .tail(tail), .fetch_failed(fetch_failed), .none_in_flight(fetch_none),
        .stat_fetched(stat_fetched), .idle(fetch_idle), .awake(fetch_awake)
    );

    rw_desc_pool #(.DATA_W(DATA_W), .QUEUES(QUEUES), .RESERVE(RESERVE), .AHEAD(AHEAD), .CHUNKS(CHUNKS)) pool (
        .clk(clk_scan), .rst(rst), .can_take(can_take), .take_valid(take_valid), .take_queue(take_queue),
        .take_group(take_group), .take_chunk(take_chunk), .give_valid(give_valid), .give_queue(give_queue),
        .flush(flush), .flushed(flushed), .last_queue(last_queue), .last_group(last_group), .last_chunk(last_chunk),
        .wr_lanes(wr_lanes), .wr_chunk(wr_chunk), .wr_slot(wr_slot), .wr_data(wr_data),
        .a_en(scan_en), .a_queue(scan_queue), .a_index(scan_index), .a_data(scan_data),
        .b_en(walk_en), .b_queue(walk_queue), .b_index(walk_index), .b_data(walk_data), .idle(pool_idle), .awake(pool_awake)
    );

    logic [QUEUES-1:0] sum_some, sum_more;
    logic [QW-1:0] sum_queue;
    logic [18:0]   sum_len;
    logic [6:0]    sum_number;
    logic [3:0]    sum_status;
    logic          sum_report, sum_tstamp, sum_silent, sum_skip, sum_fixed, sum_partial, sum_csum, sum_tag, sum_pop;
    logic [2:0]    sum_type;
    logic [13:0]   sum_mss;
    logic [8:0]    sum_hdr;
    logic [7:0]    sum_at, sum_to;
    logic [15:0]   sum_tci;
    logic          sum_drop;
    logic [QUEUES-1:0]    head_launch;
    logic [QUEUES*64-1:0] head_time;
    rw_desc_scan #(.QUEUES(QUEUES), .MAX_DESC(MAX_DESC), .HELD(8 * AHEAD)) scan (
        .clk(clk_scan), .rst(rst), .q_run(~q_resetting), .q_clear(q_clear), .arrived(arrived), .fetch_failed(fetch_failed),
        .rd_en(scan_en), .rd_queue(scan_queue), .rd_index(scan_index), .rd_data(scan_data),
        .sum_some(sum_some), .sum_more(sum_more), .sum_queue(sum_queue), .sum_len(sum_len), .sum_number(sum_number),
        .sum_status(sum_status), .sum_report(sum_report), .sum_tstamp(sum_tstamp), .sum_silent(sum_silent),
        .sum_skip(sum_skip), .sum_type(sum_type), .sum_fixed(sum_fixed), .sum_partial(sum_partial), .sum_mss(sum_mss),
        .sum_hdr(sum_hdr), .sum_at(sum_at), .sum_to(sum_to), .sum_csum(sum_csum), .sum_tag(sum_tag), .sum_tci(sum_tci),
        .sum_drop(sum_drop), .sum_pop(sum_pop), .head_launch(head_launch), .head_time(head_time), .idle(scan_idle), .awake(scan_awake)
    );

    // ---- frames are picked, walked, read
    logic          job_valid, job_ready, job_read, job_skip, job_cut, job_last, meta_valid;
    logic          shape_valid, shape_wanted, open_valid, free_valid, fail_valid;
    logic [14:0]   job_bytes;
    logic [BB-1:1] shape_fill;
    logic [7:0]    shape_header;
    logic [8:0]    shape_sum;
    logic [SLOT_W-1:0] shape_slot, open_slot, free_slot, fail_slot;
    logic [REQ_W-1:0]  open_req;
    logic [EDIT_W-1:0] edit;
    logic [QW-1:0]     fail_queue;
    logic [QW-1:0] job_queue;
    logic [6:0]    job_number;
    logic [META_W-1:0] meta;
    logic          wire_release, buf_release, kill_release, done_valid, slot_a_release, slot_b_release, event_valid;
    logic [15:0]   wire_bytes, done_index;
    logic [BUF_LOG2:0] buf_beats;
    logic [14:0]   done_bytes;
    logic [11:0]   kill_beats;
    logic          done_last;
    logic [QW-1:0] done_queue, slot_b_queue, event_queue;
    logic [3:0]    done_status;
    logic [QUEUES-1:0] event_ok, sched_none, walk_none, cpl_none;

    logic [QUEUES-1:0] q_in_credit, q_opened, q_limited, q_late, q_begun, q_refill;
    logic              launch_valid, launch_ready, gate_waits;
    logic [63:0]       gate_deadline;
    rw_queue_gate #(.QUEUES(QUEUES)) gate (
        .clk(clk_pick), .rst(rst), .tod(tod), .pfc(pfc), .priorities(priorities), .launch_lead(launch_lead), .weights(weights),
        .byte_times(q_byte_time), .q_clear(q_clear), .head_valid(sum_some), .head_launch(head_launch),
        .head_time(head_time), .head_begun(q_begun), .pop(sum_pop), .pop_queue(sum_queue), .charge(shape_valid),
        .charge_queue(job_queue), .charge_len(meta[F_LEN +: 15]), .refill(q_refill), .in_credit(q_in_credit),
        .opened(q_opened), .limited(q_limited), .late(q_late), .deadline_valid(gate_waits), .deadline(gate_deadline),
        .idle(gate_idle), .awake(gate_awake)
    );
    rw_frame_sched #(.DATA_W(DATA_W), .QUEUES(QUEUES), .FRAMES(FRAMES), .BUF_LOG2(BUF_LOG2)) sched (
        .clk(clk_pick), .rst(rst), .enable(enable), .at_fetch(at_fetch), .commit_bound(commit_bound), .q_run(q_run),
        .q_resetting(q_resetting), .q_clear(q_clear), .ring_log2(ring_log2), .priorities(priorities),
        .q_in_credit(q_in_credit), .q_opened(q_opened), .q_limited(q_limited), .q_late(q_late), .q_launch(head_launch),
        .q_begun(q_begun), .q_refill(q_refill), .m_launch_valid(launch_valid), .m_launch_ready(launch_ready),
        .sum_some(sum_some), .sum_more(sum_more), .sum_queue(sum_queue),
        .sum_len(sum_len), .sum_number(sum_number), .sum_status(sum_status), .sum_report(sum_report),
        .sum_tstamp(sum_tstamp), .sum_silent(sum_silent), .sum_skip(sum_skip), .sum_type(sum_type),
        .sum_fixed(sum_fixed), .sum_partial(sum_partial), .sum_mss(f_sum_mss), .sum_hdr(sum_hdr), .sum_at(sum_at),
        .sum_to(sum_to), .sum_csum(f_sum_csum), .sum_tag(sum_tag), .sum_tci(sum_tci), .sum_drop(sum_drop), .sum_pop(sum_pop),
        .m_job_skip(job_skip), .m_job_cut(job_cut), .m_job_bytes(job_bytes), .m_job_last(job_last),
        .m_shape_valid(shape_valid), .m_shape_fill(shape_fill), .m_shape_header(shape_header),
        .m_shape_wanted(shape_wanted), .m_shape_sum(shape_sum), .m_shape_slot(shape_slot), .m_edit(edit), .open_valid(open_valid),
        .open_slot(open_slot), .open_req(open_req), .free_valid(free_valid), .free_slot(free_slot),
        .fail_valid(fail_valid), .fail_queue(fail_queue), .fail_slot(fail_slot),
        .m_job_valid(job_valid), .m_job_ready(job_ready), .m_job_queue(job_queue), .m_job_number(job_number),
        .m_job_read(job_read), .m_meta_valid(meta_valid), .m_meta(meta),
        .wire_release(wire_release), .wire_bytes(wire_bytes), .buf_release(buf_release), .buf_beats(buf_beats),
        .kill_release(kill_release), .kill_beats(kill_beats), .done_valid(done_valid), .done_queue(done_queue),
        .slot_a_release(slot_a_release), .slot_a_queue(done_queue), .slot_b_release(slot_b_release),
        .slot_b_queue(slot_b_queue), .con_valid(con_ok), .con_queue(con_queue), .con_number(con_number),
        .event_valid(event_valid), .event_queue(event_queue), .event_ok(event_ok), .none_in_flight(sched_none),
        .idle(sched_idle), .awake(sched_awake)
    );

    logic        frag_valid, frag_ready, frag_first, frag_last;
    logic [63:0] frag_addr;
    logic [14:0] frag_len;
    rw_sg_walk #(.QUEUES(QUEUES)) walk (
        .clk(clk_read), .rst(rst), .q_clear(q_clear), .s_job_valid(job_valid), .s_job_ready(job_ready),
        .s_job_queue(job_queue), .s_job_number(job_number), .s_job_read(job_read), .s_job_skip(job_skip),
        .s_job_cut(job_cut), .s_job_bytes(job_bytes), .s_job_last(job_last),
        .rd_en(walk_en), .rd_queue(walk_queue), .rd_index(walk_index), .rd_data(walk_data),
        .give_valid(give_valid), .give_queue(give_queue), .m_frag_valid(frag_valid), .m_frag_ready(frag_ready),
        .m_frag_addr(frag_addr), .m_frag_len(frag_len), .m_frag_first(frag_first), .m_frag_last(frag_last),
        .none_in_flight(walk_none), .idle(walk_idle), .awake(walk_awake)
    );

    logic          burst_valid, burst_ready, burst_first, burst_last, stat_read;
    logic [BB-1:0] burst_offset;
    logic [12:0]   burst_len;
    logic [63:0]   araddr;
    rw_read_engine #(.DATA_W(DATA_W)) reader (
        .clk(clk_read), .rst(rst), .s_frag_valid(frag_valid), .s_frag_ready(frag_ready), .s_frag_addr(frag_addr),
        .s_frag_len(frag_len), .s_frag_first(frag_first), .s_frag_last(frag_last),
        .s_req_valid(req_valid), .s_req_ready(req_ready), .s_req_addr(req_addr), .s_req_len(req_len),
        .m_burst_valid(burst_valid), .m_burst_ready(burst_ready), .m_burst_offset(burst_offset),
        .m_burst_len(burst_len), .m_burst_first(burst_first), .m_burst_last(burst_last),
        .m_axi_arid(m_axi_arid[0]), .m_axi_araddr(araddr), .m_axi_arlen(m_axi_arlen),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .stat_read(stat_read), .idle(read_idle), .awake(reader_awake)
    );
    assign m_axi_araddr  = {f_araddr, araddr[31:0]};
    assign m_axi_arsize  = BB[2:0];
    assign m_axi_arburst = 2'b01;
    assign m_axi_arlock  = 1'b0;
    assign m_axi_arcache = 4'b0011;
    assign m_axi_arprot  = 3'b000;

    // ---- bytes are gathered, kept until the frame is whole, and sent
    logic                buf_wr_a, buf_wr_b, buf_rd, frame_valid, frame_err, head_wr, head_last, head_rd;
    logic [15:0]         frame_sum;
    logic [SLOT_W-1:0]   head_slot, ctx_slot;
    logic [ROW_W-1:0]    head_wr_row, head_rd_row;
    logic [DATA_W-1:0]   head_data;
    logic                ctx_ready;
    logic [REQ_W-1:0]    ctx_req;
    logic [CTX_W-1:0]    ctx;
    logic [BUF_LOG2-1:0] buf_wr_a_addr, buf_wr_b_addr, buf_rd_addr;
    logic [DATA_W-1:0]   buf_wr_a_data, buf_wr_b_data, buf_rd_data, head_wr_data;
    rw_gather #(.DATA_W(DATA_W), .BUF_LOG2(BUF_LOG2), .FRAMES(FRAMES), .SLOT_W(SLOT_W)) gather (
        .clk(clk_gather), .rst(rst), .s_burst_valid(burst_valid), .s_burst_ready(burst_ready),
        .s_burst_offset(burst_offset), .s_burst_len(burst_len[BB:0]), .s_burst_first(burst_first),
        .s_burst_last(burst_last), .s_shape_valid(shape_valid), .s_shape_fill(shape_fill),
        .s_shape_header(shape_header), .s_shape_wanted(shape_wanted), .s_shape_sum(shape_sum), .s_shape_slot(shape_slot),
        .r_valid(r_payload), .r_data(m_axi_rdata), .r_err(r_err), .r_last(m_axi_rlast),
        .wr_a_en(buf_wr_a), .wr_a_addr(buf_wr_a_addr), .wr_a_data(buf_wr_a_data),
        .wr_b_en(buf_wr_b), .wr_b_addr(buf_wr_b_addr), .wr_b_data(buf_wr_b_data),
        .header_en(head_wr), .header_row(head_wr_row), .header_data(head_wr_data), .header_last(head_last), .header_slot(head_slot),
        .m_frame_valid(frame_valid), .m_frame_err(frame_err), .m_frame_sum(frame_sum), .idle(gather_idle), .awake(gather_awake)
    );
    rw_header_slots #(.DATA_W(DATA_W), .SLOT_W(SLOT_W)) header_slots (
        .clk(clk_header), .rst(rst), .open_valid(open_valid), .open_slot(open_slot), .open_req(open_req),
        .wr_en(head_wr), .wr_row(head_wr_row), .wr_data(head_wr_data), .wr_last(head_last), .wr_slot(head_slot),
        .rd_en(head_rd), .rd_row(head_rd_row), .rd_data(head_data),
        .ctx_slot(ctx_slot), .ctx_ready(ctx_ready), .ctx_req(ctx_req), .ctx(ctx), .idle(slots_idle), .awake(header_slots_awake)
    );
    rw_frame_buffer #(.DATA_W(DATA_W), .LOG2(BUF_LOG2)) frame_buffer (
        .clk(clk_buffer), .wr_a_en(buf_wr_a), .wr_a_addr(buf_wr_a_addr), .wr_a_data(buf_wr_a_data),
        .wr_b_en(buf_wr_b), .wr_b_addr(buf_wr_b_addr), .wr_b_data(buf_wr_b_data),
        .rd_en(buf_rd), .rd_addr(buf_rd_addr), .rd_data(buf_rd_data), .awake(frame_buffer_awake)
    );

    logic              b_cpl_valid, b_cpl_ready, b_cpl_tstamp;
    logic [19:0]       a_cpl_segments, b_cpl_segments;
    logic [QW-1:0]     b_cpl_queue;
    logic [15:0]       b_cpl_index;
    logic [3:0]        b_cpl_status;
    logic [63:0]       b_cpl_time;
    logic               whole_valid, whole_ready, ready_valid, ready_ready;
    logic [META_W-1:0]  whole_meta, ready_meta;
    logic [EDIT_W-1:0]  whole_edit;
    logic [15:0]        whole_sum;
    logic               whole_drop, whole_header;
    logic [PATCH_W-1:0] ready_patch;
    rw_frame_seq #(.QUEUES(QUEUES), .FRAMES(FRAMES)) seq (
        .clk(clk_edit), .rst(rst), .tod(tod), .s_meta_valid(meta_valid), .s_meta(meta), .s_edit(edit),
        .s_frame_valid(f_frame_valid), .s_frame_err(f_frame_err), .s_frame_sum(frame_sum), .m_meta_valid(whole_valid),
        .m_meta_ready(whole_ready), .m_meta(whole_meta), .m_edit(whole_edit), .m_sum(whole_sum), .m_drop(whole_drop),
        .m_header(whole_header),
        .fail_valid(fail_valid), .fail_queue(fail_queue), .fail_slot(fail_slot), .m_cpl_segments(b_cpl_segments),
        .m_cpl_valid(b_cpl_valid), .m_cpl_ready(b_cpl_ready), .m_cpl_queue(b_cpl_queue), .m_cpl_index(b_cpl_index),
        .m_cpl_status(b_cpl_status), .m_cpl_tstamp(b_cpl_tstamp), .m_cpl_time(b_cpl_time),
        .slot_release(slot_b_release), .slot_queue(slot_b_queue), .kill_release(kill_release),
        .kill_beats(kill_beats), .idle(seq_idle), .awake(seq_awake)
    );
    rw_frame_edit #(.DATA_W(DATA_W), .QW(QW)) editor (
        .clk(clk_edit), .rst(rst), .s_valid(whole_valid), .s_ready(whole_ready), .s_meta(whole_meta), .s_edit(whole_edit),
        .s_sum(whole_sum), .s_drop(whole_drop), .s_header(whole_header),
        .ctx_slot(ctx_slot), .ctx_ready(ctx_ready), .ctx_req(ctx_req), .ctx(ctx),
        .m_valid(ready_valid), .m_ready(ready_ready), .m_meta(ready_meta), .m_patch(ready_patch), .idle(edit_idle), .awake(editor_awake)
    );

    logic              info_valid, info_ready, beat_valid, beat_ready, beat_last;
    logic [META_W-1:0] info_meta;
    logic [69:0]       info_time;
    logic [DATA_W-1:0] beat_data;
    logic [BB-1:0]     beat_end;
    rw_egress #(.DATA_W(DATA_W), .QUEUES(QUEUES), .BUF_LOG2(BUF_LOG2)) egress (
        .clk(clk_egress), .rst(rst), .q_resetting(q_resetting), .byte_time(byte_time),
        .s_meta_valid(ready_valid), .s_meta_ready(ready_ready), .s_meta(ready_meta), .s_patch(ready_patch),
        .header_en(head_rd), .header_row(head_rd_row), .header_data(head_data),
        .free_valid(free_valid), .free_slot(free_slot),
        .rd_en(buf_rd), .rd_addr(buf_rd_addr), .rd_data(buf_rd_data), .buf_release(buf_release),
        .buf_beats(buf_beats), .m_info_valid(info_valid), .m_info_ready(info_ready), .m_info_meta(info_meta),
        .m_info_time(info_time), .m_beat_valid(beat_valid), .m_beat_ready(f_beat_ready), .m_beat_data(beat_data),
        .m_beat_end(beat_end), .m_beat_last(beat_last), .idle(egress_idle), .awake(egress_awake)
    );

    // launch times go beside the frames, which keep their order
    logic        at_valid, at_ready;
    wire         launches_awake = launch_valid || at_ready;
    logic [63:0] at_time;
    /* verilator lint_off PINCONNECTEMPTY */ // its fill is not of interest
    rw_fifo #(.W(64), .DEPTH(16)) launches (
        .clk(clk_pick), .rst(rst), .count(), .s_valid(launch_valid), .s_ready(launch_ready),
        .s_data(head_time[sum_queue*64 +: 64]), .m_valid(at_valid), .m_ready(at_ready), .m_data(at_time)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    logic              left_valid, left_room;
    logic [META_W-1:0] left_meta;
    logic [63:0]       left_start, left_end, pacer_deadline, done_deadline, cpl_deadline, irq_deadline;
    logic              pacer_waits, done_waits, cpl_waits, irq_waits;
    rw_pacer #(.DATA_W(DATA_W), .QUEUES(QUEUES)) pacer (
        .clk(clk_egress), .rst(rst), .tod(tod), .open(pacer_open), .byte_time(byte_time), .pause(f_pause),
        .s_launch_valid(at_valid), .s_launch_ready(at_ready), .s_launch_time(at_time),
        .s_info_valid(info_valid), .s_info_ready(info_ready), .s_info_meta(info_meta), .s_info_time(info_time),
        .s_beat_valid(f_beat_valid), .s_beat_ready(beat_ready), .s_beat_data(beat_data), .s_beat_end(f_beat_end),
        .s_beat_last(f_beat_last), .m_axis_tdata(m_axis_tdata), .m_axis_tkeep(m_axis_tkeep),
        .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tlast(m_axis_tlast),
        .m_axis_tuser(m_axis_tuser), .m_done_valid(left_valid), .m_done_room(left_room), .m_done_meta(left_meta),
        .m_done_start(left_start), .m_done_end(left_end), .wire_release(wire_release), .wire_bytes(wire_bytes),
        .deadline_valid(pacer_waits), .deadline(pacer_deadline), .idle(pacer_idle), .awake(pacer_awake)
    );

    // ---- completions and interrupts
    logic              a_cpl_valid, a_cpl_ready, a_cpl_tstamp, stat_cpl, stat_head;
    logic [QW-1:0]     a_cpl_queue;
    logic [15:0]       a_cpl_index;
    logic [3:0]        a_cpl_status;
    logic [63:0]       a_cpl_time;
    logic [QUEUES-1:0] urgent_seen;
    wire  [META_W-1:0] done_meta = {left_meta[META_W-1:F_FETCH+1], f_fetch, left_meta[F_FETCH-1:0]};
    rw_done #(.QUEUES(QUEUES)) done (
        .clk(clk_done), .rst(rst), .tod(tod), .s_done_valid(left_valid), .s_done_room(left_room), .s_done_meta(done_meta),
        .s_done_start(left_start), .s_done_end(left_end), .m_cpl_valid(a_cpl_valid), .m_cpl_ready(a_cpl_ready),
        .m_cpl_queue(a_cpl_queue), .m_cpl_index(a_cpl_index), .m_cpl_status(a_cpl_status),
        .m_cpl_tstamp(a_cpl_tstamp), .m_cpl_segments(a_cpl_segments), .m_cpl_time(a_cpl_time),
        .done_valid(done_valid), .done_queue(done_queue), .done_index(done_index), .done_status(done_status),
        .done_last(done_last), .done_bytes(done_bytes), .slot_release(slot_a_release),
        .deadline_valid(done_waits), .deadline(done_deadline), .idle(done_idle), .awake(done_awake)
    );

    rw_completion #(.DATA_W(DATA_W), .QUEUES(QUEUES)) completion (
        .clk(clk_done), .rst(rst), .tod(tod), .q_enable(q_run), .q_hurry(~q_run), .q_clear(q_clear),
        .ring_log2(ring_log2), .cpl_base(cpl_base), .head_addr(head_addr), .threshold(f_cpl_threshold),
        .timer_ns(f_cpl_timer_ns), .s_a_valid(a_cpl_valid), .s_a_ready(a_cpl_ready), .s_a_queue(a_cpl_queue),
        .s_a_index(a_cpl_index), .s_a_status(a_cpl_status), .s_a_tstamp(a_cpl_tstamp), .s_a_segments(a_cpl_segments), .s_a_time(a_cpl_time),
        .s_b_valid(f_cpl_valid), .s_b_ready(f_cpl_ready), .s_b_queue(f_cpl_queue), .s_b_index(f_cpl_index),
        .s_b_status(f_cpl_status), .s_b_tstamp(f_cpl_tstamp), .s_b_segments(f_cpl_segments), .s_b_time(b_cpl_time),
        .bad_doorbell(bad_doorbell), .tail(tail), .event_ok(event_ok), .event_valid(event_valid),
        .event_queue(event_queue), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
        .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready), .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast), .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready), .m_axi_bvalid(m_axi_bvalid), .m_axi_berr(m_axi_bvalid && m_axi_bresp[1]),
        .issued(issued), .visible(visible), .urgent_seen(urgent_seen), .write_failed(write_failed),
        .none_pending(cpl_none), .stat_cpl(stat_cpl), .stat_head(stat_head), .deadline_valid(cpl_waits),
        .deadline(cpl_deadline), .idle(cpl_idle), .awake(completion_awake)
    );
    assign m_axi_awid    = 1'b0;
    assign m_axi_awsize  = BB[2:0];
    assign m_axi_awburst = 2'b01;
    assign m_axi_awlock  = 1'b0;
    assign m_axi_awcache = 4'b0011;
    assign m_axi_awprot  = 3'b000;
    assign m_axi_bready  = 1'b1;

    rw_interrupt #(.QUEUES(QUEUES)) interrupt (
        .clk(clk_done), .rst(rst), .tod(tod), .q_clear(q_clear), .mask(f_irq_mask), .mod_frames(mod_frames),
        .mod_ns(mod_ns), .issued(issued), .visible(visible), .urgent_seen(urgent_seen), .con_valid(con_valid),
        .con_queue(con_queue), .con_index(con_index), .con_arm(con_arm), .con_ok(con_ok), .con_number(con_number),
        .irq(irq), .deadline_valid(irq_waits), .deadline(irq_deadline), .idle(irq_idle), .awake(interrupt_awake)
    );

    rw_stats #(.QUEUES(QUEUES)) stats (
        .clk(clk_done), .rst(rst), .done_valid(done_valid), .done_status(done_status), .done_last(done_last),
        .done_bytes(done_bytes),
        .fetched(stat_fetched), .read(stat_read), .cpl(stat_cpl), .head(stat_head), .irq(irq), .doorbell(db_valid),
        .bad_doorbell(bad_doorbell), .write_failed(write_failed), .select(stat_select), .value(stat_value),
        .idle(stats_idle), .awake(stats_awake)
    );

    // ---- state of the queues, and their reset
    assign q_idle = sched_none & walk_none & fetch_none & cpl_none;
    rw_queue_reset #(.QUEUES(QUEUES)) queue_reset (
        .clk(clk_registers), .rst(rst), .resetting(q_resetting), .quiet(q_idle), .flushed(flushed), .flush(flush),
        .clear(q_clear), .idle(reset_idle), .awake(queue_reset_awake)
    );
    integer k;
    always_ff @(posedge clk) begin
        if (done_valid && done_last) head[done_queue*16 +: 16] <= done_index;
        for (k = 0; k < QUEUES; k = k + 1) begin
            if (write_failed[k]) write_failed_reg[k] <= 1'b1;
            if (rst || q_clear[k]) begin
                write_failed_reg[k] <= 1'b0;
                head[k*16 +: 16]    <= '0;
            end
        end
    end

    // ---- faults
    generate
        if (FAULTS != 0) begin : g_faults
            rw_faults #(.DATA_W(DATA_W), .QUEUES(QUEUES), .BUF_LOG2(BUF_LOG2), .FRAMES(FRAMES)) faults (.*);
        end else begin : g_no_faults
            assign s_axil_bresp    = bresp;
            assign f_irq_mask      = irq_mask;
            assign f_cpl_threshold = cpl_threshold;
            assign f_cpl_timer_ns  = cpl_timer_ns;
            assign f_sum_mss       = sum_mss;
            assign f_sum_csum      = sum_csum;
            assign f_araddr        = araddr[63:32];
            assign f_frame_valid   = frame_valid;
            assign f_frame_err     = frame_err;
            assign f_beat_valid    = beat_valid;
            assign f_beat_ready    = beat_ready;
            assign f_beat_end      = beat_end;
            assign f_beat_last     = beat_last;
            assign f_pause         = pause;
            assign f_fetch         = left_meta[F_FETCH];
            assign f_cpl_valid     = b_cpl_valid;
            assign b_cpl_ready     = f_cpl_ready;
            assign f_cpl_queue     = b_cpl_queue;
            assign f_cpl_index     = b_cpl_index;
            assign f_cpl_status    = b_cpl_status;
            assign f_cpl_tstamp    = b_cpl_tstamp;
            assign f_cpl_segments  = b_cpl_segments;
            assign f_idle          = 1'b1;
        end
    endgenerate

    // ---- which clocks are to tick
    wire registers_awake = csr_awake || queue_reset_awake;
    wire fetched_awake   = fetch_awake || pool_awake || scan_awake;
    wire picked_awake    = gate_awake || sched_awake || launches_awake;
    wire read_awake      = walk_awake || reader_awake;
    wire edited_awake    = seq_awake || editor_awake;
    wire sent_awake      = egress_awake || pacer_awake;
    wire told_awake      = done_awake || completion_awake || interrupt_awake || stats_awake;
    rw_clock_gate gate_registers (.clk(clk), .awake(rst || registers_awake),    .tick(clk_registers));
    rw_clock_gate gate_scan      (.clk(clk), .awake(rst || fetched_awake),      .tick(clk_scan));
    rw_clock_gate gate_pick      (.clk(clk), .awake(rst || picked_awake),       .tick(clk_pick));
    rw_clock_gate gate_read      (.clk(clk), .awake(rst || read_awake),         .tick(clk_read));
    rw_clock_gate gate_gather    (.clk(clk), .awake(rst || gather_awake),       .tick(clk_gather));
    rw_clock_gate gate_buffer    (.clk(clk), .awake(rst || frame_buffer_awake), .tick(clk_buffer));
    rw_clock_gate gate_header    (.clk(clk), .awake(rst || header_slots_awake), .tick(clk_header));
    rw_clock_gate gate_edit      (.clk(clk), .awake(rst || edited_awake),       .tick(clk_edit));
    rw_clock_gate gate_egress    (.clk(clk), .awake(rst || sent_awake),         .tick(clk_egress));
    rw_clock_gate gate_done      (.clk(clk), .awake(rst || told_awake),         .tick(clk_done));

    // ---- when may the clock stop, and until when
    assign quiet = !rst && csr_idle && fetch_idle && pool_idle && scan_idle && gate_idle && sched_idle && walk_idle && read_idle
                && gather_idle && slots_idle && seq_idle && edit_idle && egress_idle && pacer_idle && done_idle && cpl_idle && irq_idle
                && stats_idle && reset_idle && f_idle && !m_axi_rvalid;
    wire [4:0]   waits = {gate_waits, pacer_waits, done_waits, cpl_waits, irq_waits};
    wire [319:0] times = {gate_deadline, pacer_deadline, done_deadline, cpl_deadline, irq_deadline};
    assign deadline_valid = waits != '0;
    rw_earliest #(.N(5)) u_deadline (.valid(waits), .times(times), .earliest(deadline));

    // protection attributes and the write id carry nothing here
    wire unused = &{1'b0, s_axil_awprot, s_axil_arprot, m_axi_bid, m_axi_bresp[0], m_axi_rresp[0], burst_len[12:BB+1]};
endmodule
