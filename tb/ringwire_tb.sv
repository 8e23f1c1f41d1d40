// The simulated world round the device: clock, host memory, register path, interrupts, wire capture and checkers.
//
// The fast world (the default) keeps memory and the register path here and in hostmem.c; the host's Python touches
// `host_run` once a run and listens to `host_wake`. With BUS_MODELS defined, clock, reset, the register port, the memory
// port and tready are left to bus models: they drive the signals of those names; the rest stays as it is.
`include "macros.svh"

`ifndef TX_PARAMETERS
`define TX_PARAMETERS  // further parameters of the device, such as `, .MAX_DESC(16)`
`endif

module ringwire_tb #(
    parameter DATA_W = 512,
    parameter QUEUES = 1
);

    // -- to and from the host's Python, and with bus models as much again
    // verilator lint_off UNUSEDSIGNAL
    reg  [7:0] host_run = 0;  // another number starts another run
    wire       host_wake;     // toggles when the host is to look
`ifndef BUS_MODELS
    // verilator lint_on UNUSEDSIGNAL
`endif

    wire [63:0] now_ps;  // of this clock edge
    wire [63:0] tod;

    // -- the device's ports. In the fast world modules here drive what bus models drive otherwise.
`ifdef BUS_MODELS
 `define DRIVEN logic
    // verilator lint_off UNDRIVEN
`else
 `define DRIVEN wire
`endif
    `DRIVEN                clk;
    `DRIVEN                rst;
    `DRIVEN [15:0]         s_axil_awaddr;
    `DRIVEN [2:0]          s_axil_awprot;
    `DRIVEN                s_axil_awvalid;
    wire                   s_axil_awready;
    `DRIVEN [31:0]         s_axil_wdata;
    `DRIVEN [3:0]          s_axil_wstrb;
    `DRIVEN                s_axil_wvalid;
    wire                   s_axil_wready;
    wire    [1:0]          s_axil_bresp;
    wire                   s_axil_bvalid;
    `DRIVEN                s_axil_bready;
    `DRIVEN [15:0]         s_axil_araddr;
    `DRIVEN [2:0]          s_axil_arprot;
    `DRIVEN                s_axil_arvalid;
    wire                   s_axil_arready;
    wire    [31:0]         s_axil_rdata;
    wire    [1:0]          s_axil_rresp;
    wire                   s_axil_rvalid;
    `DRIVEN                s_axil_rready;

    wire    [0:0]          m_axi_arid;
    wire    [63:0]         m_axi_araddr;
    wire    [7:0]          m_axi_arlen;
    wire    [2:0]          m_axi_arsize;
    wire    [1:0]          m_axi_arburst;
    wire                   m_axi_arlock;
    wire    [3:0]          m_axi_arcache;
    wire    [2:0]          m_axi_arprot;
    wire                   m_axi_arvalid;
    `DRIVEN                m_axi_arready;
    `DRIVEN [0:0]          m_axi_rid;
    `DRIVEN [DATA_W-1:0]   m_axi_rdata;
    `DRIVEN [1:0]          m_axi_rresp;
    `DRIVEN                m_axi_rlast;
    `DRIVEN                m_axi_rvalid;
    wire                   m_axi_rready;
    wire    [0:0]          m_axi_awid;
    wire    [63:0]         m_axi_awaddr;
    wire    [7:0]          m_axi_awlen;
    wire    [2:0]          m_axi_awsize;
    wire    [1:0]          m_axi_awburst;
    wire                   m_axi_awlock;
    wire    [3:0]          m_axi_awcache;
    wire    [2:0]          m_axi_awprot;
    wire                   m_axi_awvalid;
    `DRIVEN                m_axi_awready;
    wire    [DATA_W-1:0]   m_axi_wdata;
    wire    [DATA_W/8-1:0] m_axi_wstrb;
    wire                   m_axi_wlast;
    wire                   m_axi_wvalid;
    `DRIVEN                m_axi_wready;
    `DRIVEN [0:0]          m_axi_bid;
    `DRIVEN [1:0]          m_axi_bresp;
    `DRIVEN                m_axi_bvalid;
    wire                   m_axi_bready;

    wire    [DATA_W-1:0]   m_axis_tdata;
    wire    [DATA_W/8-1:0] m_axis_tkeep;
    wire                   m_axis_tvalid;
    `DRIVEN                m_axis_tready;
    wire                   m_axis_tlast;
    wire    [25:0]         m_axis_tuser;

    wire                   pause;
    wire    [7:0]          pfc;
    wire    [QUEUES-1:0]   irq;

    // -- what lets the clock stop, which a clock of bus models never does
    wire                   quiet;
    wire                   deadline_valid;
    wire    [63:0]         deadline;
    wire                   port_idle;
`ifdef BUS_MODELS
    // verilator lint_on UNDRIVEN
    // verilator lint_on UNUSEDSIGNAL
`endif

    ringwire_tx #(.DATA_W(DATA_W), .QUEUES(QUEUES) `TX_PARAMETERS) dut (.*);

    wire frame_event;

`ifdef BUS_MODELS
    edge_time #(.DATA_W(DATA_W)) clock (.clk(clk), .rst(rst), .now_ps(now_ps), .tod(tod));
`else
    // -- the clock stops only when the device is quiet and nothing is under way between it and the world
    wire idle = quiet && port_idle && !rst && !frame_event && !(|irq) && !m_axis_tvalid
        && !m_axi_arvalid && !m_axi_rvalid && !m_axi_awvalid && !m_axi_wvalid && !m_axi_bvalid;

    clock_gen #(.DATA_W(DATA_W)) clock (
        .run(host_run), .idle(idle), .deadline_valid(deadline_valid), .deadline(deadline),
        .clk(clk), .rst(rst), .now_ps(now_ps), .tod(tod));
`endif

    host_port #(.QUEUES(QUEUES)) port (
        .clk(clk), .rst(rst), .now_ps(now_ps), .irq(irq), .frame_event(frame_event),
        .host_wake(host_wake), .idle(port_idle), .pause(pause), .pfc(pfc),
`ifdef BUS_MODELS
        // verilator lint_off PINCONNECTEMPTY
        .m_axil_awaddr(), .m_axil_awprot(), .m_axil_awvalid(), .m_axil_awready(1'b0),
        .m_axil_wdata(), .m_axil_wstrb(), .m_axil_wvalid(), .m_axil_wready(1'b0),
        .m_axil_bresp(2'b00), .m_axil_bvalid(1'b0), .m_axil_bready(),
        .m_axil_araddr(), .m_axil_arprot(), .m_axil_arvalid(), .m_axil_arready(1'b0),
        .m_axil_rdata(32'd0), .m_axil_rresp(2'b00), .m_axil_rvalid(1'b0), .m_axil_rready());
        // verilator lint_on PINCONNECTEMPTY
`else
        .m_axil_awaddr(s_axil_awaddr), .m_axil_awprot(s_axil_awprot), .m_axil_awvalid(s_axil_awvalid),
        .m_axil_awready(s_axil_awready), .m_axil_wdata(s_axil_wdata), .m_axil_wstrb(s_axil_wstrb),
        .m_axil_wvalid(s_axil_wvalid), .m_axil_wready(s_axil_wready), .m_axil_bresp(s_axil_bresp),
        .m_axil_bvalid(s_axil_bvalid), .m_axil_bready(s_axil_bready), .m_axil_araddr(s_axil_araddr),
        .m_axil_arprot(s_axil_arprot), .m_axil_arvalid(s_axil_arvalid), .m_axil_arready(s_axil_arready),
        .m_axil_rdata(s_axil_rdata), .m_axil_rresp(s_axil_rresp), .m_axil_rvalid(s_axil_rvalid),
        .m_axil_rready(s_axil_rready));

    assign m_axis_tready = 1'b1;

    hostmem #(.DATA_W(DATA_W)) memory (
        .clk(clk), .rst(rst), .now_ps(now_ps),
        .s_axi_arid(m_axi_arid), .s_axi_araddr(m_axi_araddr), .s_axi_arlen(m_axi_arlen),
        .s_axi_arvalid(m_axi_arvalid), .s_axi_arready(m_axi_arready), .s_axi_rid(m_axi_rid),
        .s_axi_rdata(m_axi_rdata), .s_axi_rresp(m_axi_rresp), .s_axi_rlast(m_axi_rlast),
        .s_axi_rvalid(m_axi_rvalid), .s_axi_rready(m_axi_rready),
        .s_axi_awid(m_axi_awid), .s_axi_awaddr(m_axi_awaddr), .s_axi_awlen(m_axi_awlen),
        .s_axi_awvalid(m_axi_awvalid), .s_axi_awready(m_axi_awready), .s_axi_wdata(m_axi_wdata),
        .s_axi_wstrb(m_axi_wstrb), .s_axi_wvalid(m_axi_wvalid), .s_axi_wready(m_axi_wready),
        .s_axi_bid(m_axi_bid), .s_axi_bresp(m_axi_bresp), .s_axi_bvalid(m_axi_bvalid), .s_axi_bready(m_axi_bready));
`endif

    wire_sink #(.DATA_W(DATA_W)) sink (
        .clk(clk), .rst(rst), .now_ps(now_ps),
        .s_axis_tdata(m_axis_tdata), .s_axis_tkeep(m_axis_tkeep), .s_axis_tvalid(m_axis_tvalid),
        .s_axis_tready(m_axis_tready), .s_axis_tlast(m_axis_tlast), .s_axis_tuser(m_axis_tuser),
        .frame_event(frame_event));

    axi_checker #(.DATA_W(DATA_W)) axi_rules (
        .clk(clk), .rst(rst), .now_ps(now_ps),
        .arid(m_axi_arid), .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize),
        .arburst(m_axi_arburst), .arlock(m_axi_arlock), .arcache(m_axi_arcache), .arprot(m_axi_arprot),
        .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rid(m_axi_rid), .rresp(m_axi_rresp), .rlast(m_axi_rlast), .rvalid(m_axi_rvalid), .rready(m_axi_rready),
        .awid(m_axi_awid), .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awsize(m_axi_awsize),
        .awburst(m_axi_awburst), .awlock(m_axi_awlock), .awcache(m_axi_awcache), .awprot(m_axi_awprot),
        .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid), .wready(m_axi_wready),
        .bid(m_axi_bid), .bresp(m_axi_bresp), .bvalid(m_axi_bvalid), .bready(m_axi_bready));

    axis_checker #(.DATA_W(DATA_W)) axis_rules (
        .clk(clk), .rst(rst), .now_ps(now_ps),
        .tdata(m_axis_tdata), .tkeep(m_axis_tkeep), .tvalid(m_axis_tvalid), .tready(m_axis_tready),
        .tlast(m_axis_tlast), .tuser(m_axis_tuser));

endmodule
