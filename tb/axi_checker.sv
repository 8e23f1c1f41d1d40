// What AXI4 and this project's bus ask of the device (and, in a world of bus models, of its memory), at every edge.
//
// Bursts are incrementing and of the bus's full width, stay inside a 4 KiB page, and read data is never made to wait:
// a read is issued only when there is room for all of it.
`include "macros.svh"

module axi_checker #(
    parameter DATA_W = 512
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         now_ps,
    input  wire [0:0]          arid,
    input  wire [63:0]         araddr,
    input  wire [7:0]          arlen,
    input  wire [2:0]          arsize,
    input  wire [1:0]          arburst,
    input  wire                arlock,
    input  wire [3:0]          arcache,
    input  wire [2:0]          arprot,
    input  wire                arvalid,
    input  wire                arready,
    input  wire [0:0]          rid,
    input  wire [1:0]          rresp,
    input  wire                rlast,
    input  wire                rvalid,
    input  wire                rready,
    input  wire [0:0]          awid,
    input  wire [63:0]         awaddr,
    input  wire [7:0]          awlen,
    input  wire [2:0]          awsize,
    input  wire [1:0]          awburst,
    input  wire                awlock,
    input  wire [3:0]          awcache,
    input  wire [2:0]          awprot,
    input  wire                awvalid,
    input  wire                awready,
    input  wire [DATA_W-1:0]   wdata,
    input  wire [DATA_W/8-1:0] wstrb,
    input  wire                wlast,
    input  wire                wvalid,
    input  wire                wready,
    input  wire [0:0]          bid,
    input  wire [1:0]          bresp,
    input  wire                bvalid,
    input  wire                bready
);

    localparam BYTES = DATA_W / 8;
    localparam SIZE = $clog2(BYTES);
    localparam DEPTH = 2048;  // bursts without an answer that are told apart
    localparam BITS = $clog2(DEPTH);
    localparam [1:0] INCR = 1;

    function automatic fits_page(input [11:0] addr, input [7:0] len);
        reg [15:0] first;
        begin
            first = {4'd0, addr} & ~(BYTES[15:0] - 16'd1);
            fits_page = first + ({8'd0, len} + 16'd1) * BYTES[15:0] <= 16'd4096;
        end
    endfunction

    // -- reads: for each id, the lengths of the bursts without an answer, and the beats that the oldest has had
    reg [7:0]      read_len  [0:2*DEPTH-1];
    reg [BITS-1:0] read_head [0:1];
    reg [BITS-1:0] read_tail [0:1];
    reg [7:0]      read_beat [0:1];
    reg            ar_waits;
    reg [85:0]     ar_held;
    reg            r_waits;
    reg [3:0]      r_held;
    wire [85:0]    ar = {arid, araddr, arlen, arsize, arburst, arlock, arcache, arprot};
    wire           reads_pending = read_head[0] != read_tail[0] || read_head[1] != read_tail[1];

    always @(posedge clk) begin
        if (rst) begin
            read_head[0] <= 0;
            read_head[1] <= 0;
            read_tail[0] <= 0;
            read_tail[1] <= 0;
            read_beat[0] <= 0;
            read_beat[1] <= 0;
            ar_waits <= 0;
            r_waits <= 0;
        end else begin
            `CHECK((^{arvalid, rready, rvalid}) !== 1'bx, "axi_read_known: arvalid, rready and rvalid are known")
            if (ar_waits) `CHECK(arvalid && ar == ar_held, "axi_ar_stable: a read request that waits does not change")
            ar_waits <= arvalid && !arready;
            if (arvalid) begin
                ar_held <= ar;
                `CHECK((^ar) !== 1'bx, "axi_ar_known: a read request is known")
                `CHECK(arburst == INCR, "axi_ar_burst: reads are incrementing bursts")
                `CHECK(!arlock, "axi_ar_lock: there are no exclusive accesses")
                `CHECK(arsize == SIZE[2:0], "axi_ar_size: reads have the full width of the bus")
                `CHECK(fits_page(araddr[11:0], arlen), "axi_ar_page: a read does not cross a 4 KiB page")
            end
            if (arvalid && arready) begin
                read_len[{arid, read_head[arid]}] <= arlen;
                read_head[arid] <= read_head[arid] + 1'b1;
                `CHECK(read_head[arid] + 1'b1 != read_tail[arid], "axi_ar_count: fewer than 2048 reads wait for data")
            end
            if (reads_pending) `CHECK(rready, "axi_rready: rready does not fall while read data is to come")
            if (r_waits) `CHECK(rvalid && {rid, rresp, rlast} == r_held, "axi_r_stable: read data that waits does not change")
            r_waits <= rvalid && !rready;
            if (rvalid) begin
                r_held <= {rid, rresp, rlast};
                `CHECK(read_head[rid] != read_tail[rid], "axi_r_matched: read data answers a request of its id")
                `CHECK(rlast == (read_beat[rid] == read_len[{rid, read_tail[rid]}]), "axi_r_last: rlast ends the burst")
            end
            if (rvalid && rready) begin
                read_beat[rid] <= rlast ? 8'd0 : read_beat[rid] + 1'b1;
                if (rlast) read_tail[rid] <= read_tail[rid] + 1'b1;
            end
        end
    end

    // -- writes: the lengths of the bursts whose data is to come, and by id how many wait for their response
    reg [7:0]          write_len [0:DEPTH-1];
    reg                write_id  [0:DEPTH-1];
    reg [BITS-1:0]     write_head;
    reg [BITS-1:0]     write_tail;
    reg [7:0]          write_beat;
    reg [BITS-1:0]     unanswered [0:1];
    reg                aw_waits;
    reg [85:0]         aw_held;
    reg                w_waits;
    reg [DATA_W+BYTES:0] w_held;
    reg                b_waits;
    reg [2:0]          b_held;
    reg                has_request;  // of the beat on the W channel
    reg [7:0]          len;
    reg                id;
    wire [85:0]        aw = {awid, awaddr, awlen, awsize, awburst, awlock, awcache, awprot};

    always @(posedge clk) begin
        if (rst) begin
            write_head <= 0;
            write_tail <= 0;
            write_beat <= 0;
            unanswered[0] <= 0;
            unanswered[1] <= 0;
            aw_waits <= 0;
            w_waits <= 0;
            b_waits <= 0;
        end else begin
            `CHECK((^{awvalid, wvalid, bready}) !== 1'bx, "axi_write_known: awvalid, wvalid and bready are known")
            if (aw_waits) `CHECK(awvalid && aw == aw_held, "axi_aw_stable: a write request that waits does not change")
            aw_waits <= awvalid && !awready;
            if (awvalid) begin
                aw_held <= aw;
                `CHECK((^aw) !== 1'bx, "axi_aw_known: a write request is known")
                `CHECK(awburst == INCR, "axi_aw_burst: writes are incrementing bursts")
                `CHECK(!awlock, "axi_aw_lock: there are no exclusive accesses")
                `CHECK(awsize == SIZE[2:0], "axi_aw_size: writes have the full width of the bus")
                `CHECK(fits_page(awaddr[11:0], awlen), "axi_aw_page: a write does not cross a 4 KiB page")
            end
            if (awvalid && awready) begin
                write_len[write_head] <= awlen;
                write_id[write_head] <= awid;
                write_head <= write_head + 1'b1;
            end
            if (w_waits) `CHECK(wvalid && {wdata, wstrb, wlast} === w_held, "axi_w_stable: write data that waits does not change")
            w_waits <= wvalid && !wready;
            if (wvalid && !wready) w_held <= {wdata, wstrb, wlast};
            if (wvalid && wready) begin
                has_request = write_head != write_tail;
                len = has_request ? write_len[write_tail] : awlen;
                id = has_request ? write_id[write_tail] : awid;
                `CHECK(has_request || awvalid && awready, "axi_w_matched: write data does not come before its request")
                `CHECK((^wstrb) !== 1'bx, "axi_w_strobes_known: wstrb is known")
                `CHECK(wlast == (write_beat == len), "axi_w_last: wlast ends the burst")
                write_beat <= wlast ? 8'd0 : write_beat + 1'b1;
                if (wlast) write_tail <= write_tail + 1'b1;
            end
            if (b_waits) `CHECK(bvalid && {bid, bresp} == b_held, "axi_b_stable: a write response that waits does not change")
            b_waits <= bvalid && !bready;
            if (bvalid) begin
                b_held <= {bid, bresp};
                `CHECK(unanswered[bid] != 0, "axi_b_matched: a write response answers a write of its id")
            end
            if (wvalid && wready && wlast) begin
                if (!(bvalid && bready && bid == id)) unanswered[id] <= unanswered[id] + 1'b1;
                if (bvalid && bready && bid != id) unanswered[bid] <= unanswered[bid] - 1'b1;
            end else if (bvalid && bready) begin
                unanswered[bid] <= unanswered[bid] - 1'b1;
            end
        end
    end

endmodule
