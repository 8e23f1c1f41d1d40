// Host memory's AXI port: hostmem.c behind an AXI4 slave that takes a request and gives a beat each clock.
//
// Read requests are answered after a latency with jitter, those of one id in order, those of different ids
// independently, in turn by beats when both are due. Writes are visible as their beats are taken.
`include "macros.svh"

module hostmem #(
    parameter DATA_W = 512
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         now_ps,  // of this edge

    input  wire [0:0]          s_axi_arid,
    input  wire [63:0]         s_axi_araddr,
    input  wire [7:0]          s_axi_arlen,
    input  wire                s_axi_arvalid,
    output reg                 s_axi_arready,
    output reg  [0:0]          s_axi_rid,
    output reg  [DATA_W-1:0]   s_axi_rdata,
    output reg  [1:0]          s_axi_rresp,
    output reg                 s_axi_rlast,
    output reg                 s_axi_rvalid,
    input  wire                s_axi_rready,

    input  wire [0:0]          s_axi_awid,
    input  wire [63:0]         s_axi_awaddr,
    input  wire [7:0]          s_axi_awlen,
    input  wire                s_axi_awvalid,
    output reg                 s_axi_awready,
    input  wire [DATA_W-1:0]   s_axi_wdata,
    input  wire [DATA_W/8-1:0] s_axi_wstrb,
    input  wire                s_axi_wvalid,
    output reg                 s_axi_wready,
    output reg  [0:0]          s_axi_bid,
    output reg  [1:0]          s_axi_bresp,
    output reg                 s_axi_bvalid,
    input  wire                s_axi_bready
);

    // Bits of what hm_memory returns.
    localparam READ_DUE = 0, RESPONSE_DUE = 1, BUSY = 2, READ_ROOM = 3, WRITE_ROOM = 4, DATA_ROOM = 5;

`ifdef VERILATOR
    import "DPI-C" function void hm_read_request(
        input longint unsigned now_ps, input int unsigned id, input longint unsigned addr, input int unsigned beats);
    import "DPI-C" function void hm_write_request(
        input longint unsigned now_ps, input int unsigned id, input longint unsigned addr, input int unsigned beats);
    import "DPI-C" function int unsigned hm_write_beat(
        input longint unsigned now_ps, input longint unsigned strobes, input bit [DATA_W-1:0] data);
    import "DPI-C" function int unsigned hm_memory(input longint unsigned now_ps);
    import "DPI-C" function int unsigned hm_read_beat(output bit [DATA_W-1:0] data);
    import "DPI-C" function int unsigned hm_write_response();
`endif

    wire request = s_axi_arvalid && s_axi_arready || s_axi_awvalid && s_axi_awready || s_axi_wvalid && s_axi_wready;

    reg              busy;
    reg [31:0]       flags;
    // verilator lint_off UNUSEDSIGNAL
    reg [31:0]       beat;
    reg [31:0]       response;
    // verilator lint_on UNUSEDSIGNAL
    reg [31:0]       unknown;
    reg [63:0]       strobes;
    reg [DATA_W-1:0] data;

    // Blocking and nonblocking assignments meet here on purpose: the former are this block's own scratch.
    always @(posedge clk) begin
        if (rst) begin
            busy <= 0;
            s_axi_arready <= 0;
            s_axi_rvalid <= 0;
            s_axi_awready <= 0;
            s_axi_wready <= 0;
            s_axi_bvalid <= 0;
        end else begin
            if (s_axi_awvalid && s_axi_awready)
                `HM(write_request)(now_ps, {31'd0, s_axi_awid}, s_axi_awaddr, {24'd0, s_axi_awlen} + 1);
            if (s_axi_wvalid && s_axi_wready) begin
                strobes = 0;
                strobes[DATA_W/8-1:0] = s_axi_wstrb;
                unknown = `HM(write_beat)(now_ps, strobes, s_axi_wdata);
                `CHECK(unknown == 0, "axi_w_known: bytes that wstrb selects are known")
            end
            if (s_axi_arvalid && s_axi_arready)
                `HM(read_request)(now_ps, {31'd0, s_axi_arid}, s_axi_araddr, {24'd0, s_axi_arlen} + 1);

            if (s_axi_rready) s_axi_rvalid <= 0;
            if (s_axi_bready) s_axi_bvalid <= 0;
            if (busy || request) begin
                flags = `HM(memory)(now_ps);
                if (flags[READ_DUE] && (s_axi_rready || !s_axi_rvalid)) begin
                    beat = `HM(read_beat)(data);
                    s_axi_rdata <= data;
                    s_axi_rresp <= beat[1:0];
                    s_axi_rlast <= beat[2];
                    s_axi_rid <= beat[3];
                    s_axi_rvalid <= 1;
                end
                if (flags[RESPONSE_DUE] && (s_axi_bready || !s_axi_bvalid)) begin
                    response = `HM(write_response)();
                    s_axi_bresp <= response[1:0];
                    s_axi_bid <= response[3];
                    s_axi_bvalid <= 1;
                end
                busy <= flags[BUSY];
                s_axi_arready <= flags[READ_ROOM];
                s_axi_awready <= flags[WRITE_ROOM];
                s_axi_wready <= flags[DATA_ROOM];
            end else begin
                s_axi_arready <= 1;
                s_axi_awready <= 1;
                s_axi_wready <= 1;
            end
        end
    end

endmodule
