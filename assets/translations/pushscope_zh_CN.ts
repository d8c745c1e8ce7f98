<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name>About</name>
    <message>
        <source>Pushscope {version}

A bench for systems that push messages over WebSocket from several instances. Apache License 2.0.</source>
        <translation>Pushscope {version}

测试多实例 WebSocket 消息推送系统的工作台。Apache License 2.0。</translation>
    </message>
</context>
<context>
    <name>Actions</name>
    <message>
        <source>&amp;Start</source>
        <translation>开始(&amp;S)</translation>
    </message>
    <message>
        <source>S&amp;top, again: stop now</source>
        <translation>停止，再按一次：立即停止(&amp;T)</translation>
    </message>
    <message>
        <source>Stop the &amp;cluster</source>
        <translation>停止集群(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Restart the cluster</source>
        <translation>重启集群(&amp;R)</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>首页</translation>
    </message>
    <message>
        <source>Cluster</source>
        <translation>集群</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>Push</source>
        <translation>推送</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>延迟</translation>
    </message>
    <message>
        <source>Matrix</source>
        <translation>矩阵</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Once a second</source>
        <translation>每秒 1 次</translation>
    </message>
    <message>
        <source>4 times a second</source>
        <translation>每秒 4 次</translation>
    </message>
    <message>
        <source>10 times a second</source>
        <translation>每秒 10 次</translation>
    </message>
    <message>
        <source>&amp;Full screen</source>
        <translation>全屏(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Keys</source>
        <translation>快捷键(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;About Pushscope</source>
        <translation>关于 Pushscope(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>退出(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>T&amp;heme</source>
        <translation>主题(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <translation>语言(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Draw charts</source>
        <translation>图表刷新(&amp;D)</translation>
    </message>
    <message>
        <source>Single &amp;letters are shortcuts</source>
        <translation>启用单字母快捷键(&amp;L)</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Dismiss</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Copy details</source>
        <translation>复制详情</translation>
    </message>
</context>
<context>
    <name>ChartDirector</name>
    <message>
        <source>No latency measured yet</source>
        <extracomment>Spans by key in seconds; 0 is the whole run. Buckets close a little after their end; the right edge stays behind by this much.</extracomment>
        <translation>尚未测得延迟</translation>
    </message>
    <message>
        <source>p99 {overall} ms; {worst} highest with {value} ms; {lost} lost</source>
        <translation>p99 {overall} ms；{worst} 最高，为 {value} ms；丢失 {lost} 条</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>lost/s</source>
        <translation>丢失/秒</translation>
    </message>
</context>
<context>
    <name>ClusterView</name>
    <message>
        <source>Local cluster</source>
        <translation>本地集群</translation>
    </message>
    <message>
        <source>Add an instance</source>
        <translation>添加实例</translation>
    </message>
    <message>
        <source>Starts one more process; the gateway finds it (+)</source>
        <translation>再启动一个进程，网关会自动发现它 (+)</translation>
    </message>
    <message>
        <source>Stop the cluster</source>
        <translation>停止集群</translation>
    </message>
    <message>
        <source>No cluster is running</source>
        <translation>没有正在运行的集群</translation>
    </message>
    <message>
        <source>Start the demo</source>
        <translation>开始演示</translation>
    </message>
    <message>
        <source>Start a cluster only</source>
        <translation>只启动集群</translation>
    </message>
    <message>
        <source>strategy {strategy} · users connect to {url}</source>
        <translation>策略 {strategy} · 用户连接到 {url}</translation>
    </message>
    <message>
        <source>Out of reach for {n} of {all} instances</source>
        <translation>{all} 个实例中有 {n} 个连不上</translation>
    </message>
</context>
<context>
    <name>Coach</name>
    <message>
        <source>Try it: kill {id} and watch the matrix (K)</source>
        <extracomment>Seconds of a run before the suggestion comes. Seconds after which a recovery that does not come is told as such. Seconds after a kill when what has not arrived counts as lost (a scenario&apos;s ``late_after``, and a bit).</extracomment>
        <translation>试一试：强制结束 {id}，看看矩阵如何变化 (K)</translation>
    </message>
    <message>
        <source>Messages lost: {n}.</source>
        <translation>丢失消息：{n} 条。</translation>
    </message>
    <message>
        <source>{id} is gone; no user was on it.</source>
        <translation>{id} 已退出；上面没有用户。</translation>
    </message>
    <message>
        <source>{id} is gone; {n} of its {all} users have not come back yet.</source>
        <translation>{id} 已退出；它的 {all} 个用户中还有 {n} 个没有回来。</translation>
    </message>
    <message>
        <source>{id} is gone; its {all} users were back on {others} within {s} s.</source>
        <translation>{id} 已退出；它的 {all} 个用户在 {s} 秒内回到了 {others}。</translation>
    </message>
</context>
<context>
    <name>CrowdCard</name>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>{n} of {all} connected</source>
        <translation>已连接 {n} / {all}</translation>
    </message>
    <message>
        <source>{rate} pushes/s</source>
        <translation>每秒 {rate} 条推送</translation>
    </message>
</context>
<context>
    <name>Headline</name>
    <message>
        <source>Users</source>
        <extracomment>Under this name lupdate finds the texts. Where each number leads.</extracomment>
        <translation>用户</translation>
    </message>
    <message>
        <source>Pushes</source>
        <translation>推送</translation>
    </message>
    <message>
        <source>Refused</source>
        <translation>被拒绝</translation>
    </message>
    <message>
        <source>Reach</source>
        <translation>送达率</translation>
    </message>
    <message>
        <source>Lost</source>
        <translation>丢失</translation>
    </message>
    <message>
        <source>Duplicate</source>
        <translation>重复</translation>
    </message>
    <message>
        <source>Misrouted</source>
        <translation>误投</translation>
    </message>
    <message>
        <source>Reordered</source>
        <translation>乱序</translation>
    </message>
</context>
<context>
    <name>InstanceCard</name>
    <message>
        <source>Sessions</source>
        <translation>会话</translation>
    </message>
    <message>
        <source>Pushes/s</source>
        <translation>推送/秒</translation>
    </message>
    <message>
        <source>Delivered/s</source>
        <translation>送达/秒</translation>
    </message>
    <message>
        <source>CPU, %</source>
        <translation>CPU，%</translation>
    </message>
    <message>
        <source>Memory, MiB</source>
        <translation>内存，MiB</translation>
    </message>
    <message>
        <source>Uptime</source>
        <translation>运行时长</translation>
    </message>
    <message>
        <source>Kill</source>
        <translation>强制结束</translation>
    </message>
    <message>
        <source>End the process at once, as kill -9 does (K)</source>
        <translation>像 kill -9 一样立即结束进程 (K)</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Ask it to stop; it says goodbye to its users</source>
        <translation>请它停止；它会先与用户正常断开</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Undrain</source>
        <translation>恢复接入</translation>
    </message>
    <message>
        <source>Drain</source>
        <translation>停止接入</translation>
    </message>
    <message>
        <source>Give it new users again</source>
        <translation>重新给它分配新用户</translation>
    </message>
    <message>
        <source>Keep its users, but give it no new ones</source>
        <translation>保留现有用户，但不再分配新用户</translation>
    </message>
    <message>
        <source>No broker</source>
        <translation>没有消息代理</translation>
    </message>
    <message>
        <source>Out of service</source>
        <translation>已停止接入</translation>
    </message>
    <message>
        <source>pid {pid}</source>
        <translation>进程 {pid}</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Freeze the process or let it go on (P)</source>
        <translation>冻结进程或让它继续 (P)</translation>
    </message>
</context>
<context>
    <name>Keys</name>
    <message>
        <source>Everywhere</source>
        <extracomment>Under this name lupdate finds the texts.</extracomment>
        <translation>通用</translation>
    </message>
    <message>
        <source>start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>stop, again: stop now</source>
        <translation>停止，再按一次：立即停止</translation>
    </message>
    <message>
        <source>pause or resume the charts</source>
        <translation>暂停或继续图表</translation>
    </message>
    <message>
        <source>switch views</source>
        <translation>切换视图</translation>
    </message>
    <message>
        <source>full screen</source>
        <translation>全屏</translation>
    </message>
    <message>
        <source>quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Cluster</source>
        <translation>集群</translation>
    </message>
    <message>
        <source>start, stop the run</source>
        <translation>开始、停止运行</translation>
    </message>
    <message>
        <source>kill the chosen instance</source>
        <translation>强制结束所选实例</translation>
    </message>
    <message>
        <source>pause or resume it</source>
        <translation>暂停或继续它</translation>
    </message>
    <message>
        <source>add an instance</source>
        <translation>添加实例</translation>
    </message>
    <message>
        <source>to the log</source>
        <translation>转到日志</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>add users</source>
        <translation>添加用户</translation>
    </message>
    <message>
        <source>disconnect, reconnect the chosen ones</source>
        <translation>断开、重连所选用户</translation>
    </message>
    <message>
        <source>Push</source>
        <translation>推送</translation>
    </message>
    <message>
        <source>send once</source>
        <translation>发送一次</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>延迟</translation>
    </message>
    <message>
        <source>grouping, window, linear or logarithmic</source>
        <translation>分组、时间窗口、线性或对数</translation>
    </message>
    <message>
        <source>chart or table</source>
        <translation>图表或表格</translation>
    </message>
    <message>
        <source>back to the live edge</source>
        <translation>回到实时</translation>
    </message>
    <message>
        <source>Matrix</source>
        <translation>矩阵</translation>
    </message>
    <message>
        <source>next figure</source>
        <translation>下一项指标</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
</context>
<context>
    <name>LatencyView</name>
    <message>
        <source>Delivery latency, {metric} by instance pushed via</source>
        <extracomment>Seconds between two descriptions of the chart for assistive technology.</extracomment>
        <translation>送达延迟 {metric}，按经由实例</translation>
    </message>
    <message>
        <source>Delivery latency, {metric} by instance connected on</source>
        <translation>送达延迟 {metric}，按所在实例</translation>
    </message>
    <message>
        <source>max</source>
        <translation>最大</translation>
    </message>
    <message>
        <source>via</source>
        <translation>经由</translation>
    </message>
    <message>
        <source>on</source>
        <translation>所在</translation>
    </message>
    <message>
        <source>By the instance that was asked to push (G)</source>
        <translation>按接收推送请求的实例 (G)</translation>
    </message>
    <message>
        <source>By the instance the user is connected to (G)</source>
        <translation>按用户所连接的实例 (G)</translation>
    </message>
    <message>
        <source>30 s</source>
        <translation>30 秒</translation>
    </message>
    <message>
        <source>1 m</source>
        <translation>1 分</translation>
    </message>
    <message>
        <source>5 m</source>
        <translation>5 分</translation>
    </message>
    <message>
        <source>15 m</source>
        <translation>15 分</translation>
    </message>
    <message>
        <source>run</source>
        <translation>全程</translation>
    </message>
    <message>
        <source>lin</source>
        <translation>线性</translation>
    </message>
    <message>
        <source>log</source>
        <translation>对数</translation>
    </message>
    <message>
        <source>Linear axis (O)</source>
        <translation>线性坐标 (O)</translation>
    </message>
    <message>
        <source>Logarithmic axis (O)</source>
        <translation>对数坐标 (O)</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>表格</translation>
    </message>
    <message>
        <source>The same numbers as a table (T)</source>
        <translation>以表格显示同样的数字 (T)</translation>
    </message>
    <message>
        <source>Back to live</source>
        <translation>回到实时</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>Start a run to see latency (F5)</source>
        <translation>开始一次运行即可看到延迟 (F5)</translation>
    </message>
    <message>
        <source>Delivery matrix</source>
        <translation>送达矩阵</translation>
    </message>
    <message>
        <source>rows: pushed via · columns: connected on</source>
        <translation>行：经由实例 · 列：所在实例</translation>
    </message>
    <message>
        <source>reach</source>
        <translation>送达率</translation>
    </message>
    <message>
        <source>delivered</source>
        <translation>送达</translation>
    </message>
    <message>
        <source>lost</source>
        <translation>丢失</translation>
    </message>
    <message>
        <source>Legend</source>
        <translation>图例</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Paused · {time} behind · still recording</source>
        <translation>已暂停 · 落后 {time} · 仍在记录</translation>
    </message>
    <message>
        <source>Zoomed · still recording</source>
        <translation>已缩放 · 仍在记录</translation>
    </message>
</context>
<context>
    <name>LegendModel</name>
    <message>
        <source>Instance</source>
        <translation>实例</translation>
    </message>
    <message>
        <source>now</source>
        <translation>当前</translation>
    </message>
    <message>
        <source>max</source>
        <translation>最大</translation>
    </message>
</context>
<context>
    <name>LogCard</name>
    <message>
        <source>Log</source>
        <extracomment>A longer line is cut for display: one of megabytes would freeze the text widget.</extracomment>
        <translation>日志</translation>
    </message>
    <message>
        <source>Process whose log is shown</source>
        <translation>显示哪个进程的日志</translation>
    </message>
    <message>
        <source>What the processes write appears here</source>
        <translation>各进程的输出显示在这里</translation>
    </message>
    <message>
        <source>all processes</source>
        <translation>所有进程</translation>
    </message>
</context>
<context>
    <name>LostCard</name>
    <message>
        <source>{lost} of {pushed}</source>
        <translation>{lost} / {pushed}</translation>
    </message>
    <message>
        <source>✓ Nothing lost so far</source>
        <translation>✓ 目前没有丢失</translation>
    </message>
    <message>
        <source>Messages that do not arrive are listed here, with the last place they were seen</source>
        <translation>没有送达的消息会列在这里，并注明最后出现的位置</translation>
    </message>
    <message>
        <source>Lost messages</source>
        <translation>丢失的消息</translation>
    </message>
</context>
<context>
    <name>LostModel</name>
    <message>
        <source>Sequence</source>
        <translation>序号</translation>
    </message>
    <message>
        <source>User</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>via → on</source>
        <translation>经由 → 所在</translation>
    </message>
    <message>
        <source>Last seen</source>
        <translation>最后位置</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Start</source>
        <translation>首页</translation>
    </message>
    <message>
        <source>Cluster</source>
        <translation>集群</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>Push</source>
        <translation>推送</translation>
    </message>
    <message>
        <source>Latency</source>
        <translation>延迟</translation>
    </message>
    <message>
        <source>Matrix</source>
        <translation>矩阵</translation>
    </message>
    <message>
        <source>Tried: {what}</source>
        <translation>已尝试：{what}</translation>
    </message>
    <message>
        <source>Next: {what}</source>
        <translation>下一步：{what}</translation>
    </message>
    <message>
        <source>Start the engine again</source>
        <translation>重新启动引擎</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>{delivered} of {expected} delivered, {lost} lost, p99 {p99} ms</source>
        <translation>送达 {delivered} / {expected}，丢失 {lost}，p99 {p99} ms</translation>
    </message>
    <message>
        <source>The run passed</source>
        <translation>运行通过</translation>
    </message>
    <message>
        <source>The run did not pass</source>
        <translation>运行未通过</translation>
    </message>
    <message>
        <source>Kill {id}</source>
        <translation>强制结束 {id}</translation>
    </message>
    <message>
        <source>The cluster runs with {old}. Restart it with {new}?</source>
        <translation>集群正以 {old} 策略运行。要以 {new} 重启吗？</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>重启</translation>
    </message>
    <message>
        <source>Copied: {text}</source>
        <translation>已复制：{text}</translation>
    </message>
    <message>
        <source>Stopping – Pushscope</source>
        <translation>正在停止 – Pushscope</translation>
    </message>
</context>
<context>
    <name>MatrixModel</name>
    <message>
        <source>via {id}</source>
        <translation>经由 {id}</translation>
    </message>
    <message>
        <source>on {id}</source>
        <translation>在 {id}</translation>
    </message>
    <message>
        <source>offline</source>
        <extracomment>What a cell is painted from, a :class:`Paint`. With more columns than this their headers are the bare ids. The column of users whose instance was unknown when the push was to be sent.</extracomment>
        <translation>离线</translation>
    </message>
    <message>
        <source>{n} lost</source>
        <translation>丢失 {n}</translation>
    </message>
    <message>
        <source>No push went this way yet</source>
        <translation>还没有推送走过这条路径</translation>
    </message>
    <message>
        <source>via {via} to users on {on}: pushed {pushed}, delivered {delivered}, lost {lost}, p50 {p50} ms, p99 {p99} ms</source>
        <translation>经由 {via} 推送给在 {on} 的用户：推送 {pushed}，送达 {delivered}，丢失 {lost}，p50 {p50} ms，p99 {p99} ms</translation>
    </message>
</context>
<context>
    <name>MatrixView</name>
    <message>
        <source>Delivery matrix</source>
        <translation>送达矩阵</translation>
    </message>
    <message>
        <source>rows: pushed via · columns: connected on</source>
        <translation>行：经由实例 · 列：所在实例</translation>
    </message>
    <message>
        <source>reach</source>
        <translation>送达率</translation>
    </message>
    <message>
        <source>delivered</source>
        <translation>送达</translation>
    </message>
    <message>
        <source>lost</source>
        <translation>丢失</translation>
    </message>
    <message>
        <source>Delivered of what is settled (V)</source>
        <translation>已有定论的推送中送达的比例 (V)</translation>
    </message>
    <message>
        <source>Median latency in milliseconds (V)</source>
        <translation>延迟中位数，毫秒 (V)</translation>
    </message>
    <message>
        <source>99th percentile of latency in milliseconds (V)</source>
        <translation>延迟的第 99 百分位，毫秒 (V)</translation>
    </message>
    <message>
        <source>Outlined: the user is on the instance that was asked. Hatched: no push went this way yet. Offline: the user was between two connections when the push was due.</source>
        <translation>描边：用户就在接收推送请求的实例上。斜线：还没有推送走过这条路径。离线：推送时用户正处于两次连接之间。</translation>
    </message>
    <message>
        <source>Start a run to fill the matrix (F5)</source>
        <translation>开始一次运行即可填充矩阵 (F5)</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>All ways</source>
        <translation>所有路径</translation>
    </message>
    <message>
        <source>Choose a cell to see its figures.</source>
        <translation>选择一个单元格查看它的数字。</translation>
    </message>
    <message>
        <source>Most losses: via {via} to users between two connections, {lost}.</source>
        <translation>丢失最多：经由 {via} 到两次连接之间的用户，{lost} 条。</translation>
    </message>
    <message>
        <source>Most losses: via {via} to users on {on}, {lost}.</source>
        <translation>丢失最多：经由 {via} 到在 {on} 的用户，{lost} 条。</translation>
    </message>
    <message>
        <source>Pushed via {via}, user on {on}</source>
        <translation>经由 {via}，用户在 {on}</translation>
    </message>
    <message>
        <source>No push went this way yet</source>
        <translation>还没有推送走过这条路径</translation>
    </message>
    <message>
        <source>{delivered} of {pushed} delivered, {lost} lost</source>
        <translation>送达 {delivered} / {pushed}，丢失 {lost}</translation>
    </message>
    <message>
        <source>p50 {p50} ms · p99 {p99} ms · reach {reach} %</source>
        <translation>p50 {p50} ms · p99 {p99} ms · 送达率 {reach} %</translation>
    </message>
    <message>
        <source>Nothing was pushed yet</source>
        <translation>还没有推送</translation>
    </message>
    <message>
        <source>none (reconnecting)</source>
        <translation>无（重连中）</translation>
    </message>
</context>
<context>
    <name>PartCard</name>
    <message>
        <source>pid {pid}</source>
        <translation>进程 {pid}</translation>
    </message>
</context>
<context>
    <name>PushView</name>
    <message>
        <source>One push</source>
        <extracomment>The most that an instance accepts in one push, in bytes.</extracomment>
        <translation>单次推送</translation>
    </message>
    <message>
        <source>To</source>
        <translation>发给</translation>
    </message>
    <message>
        <source>Via</source>
        <translation>经由</translation>
    </message>
    <message>
        <source>Destination</source>
        <translation>目的地</translation>
    </message>
    <message>
        <source>Payload</source>
        <translation>内容</translation>
    </message>
    <message>
        <source>Send once</source>
        <translation>发送一次</translation>
    </message>
    <message>
        <source>Automatic pushes</source>
        <translation>自动推送</translation>
    </message>
    <message>
        <source>/s</source>
        <translation>/秒</translation>
    </message>
    <message>
        <source>Pushes per second</source>
        <translation>每秒推送数</translation>
    </message>
    <message>
        <source>Set rate</source>
        <translation>设定速率</translation>
    </message>
    <message>
        <source>None</source>
        <translation>停发</translation>
    </message>
    <message>
        <source>To all users in turn, through all instances in turn; starts a run if none is on.</source>
        <translation>轮流发给所有用户，轮流经由所有实例；若没有运行则开始一次。</translation>
    </message>
    <message>
        <source>Sent by hand</source>
        <translation>手动发送</translation>
    </message>
    <message>
        <source>What you send appears here: what the instance answered, and when it arrived.</source>
        <translation>您发送的内容会显示在这里：实例的应答，以及何时送达。</translation>
    </message>
    <message>
        <source>now {rate}/s</source>
        <translation>当前 {rate}/秒</translation>
    </message>
    <message>
        <source>A destination starts with a slash, for example /topic/greetings</source>
        <translation>目的地以斜杠开头，例如 /topic/greetings</translation>
    </message>
    <message>
        <source>The payload is larger than 64 KiB, the most an instance accepts</source>
        <translation>内容超过 64 KiB，这是实例接受的上限</translation>
    </message>
    <message>
        <source>Name a user, or choose everybody</source>
        <translation>请填写用户，或选择所有人</translation>
    </message>
    <message numerus="yes">
        <source>%n byte(s)</source>
        <translation>
            <numerusform>%n 字节</numerusform>
        </translation>
    </message>
    <message>
        <source>the next in turn</source>
        <translation>轮到的下一个</translation>
    </message>
    <message>
        <source>everybody</source>
        <translation>所有人</translation>
    </message>
</context>
<context>
    <name>PushesModel</name>
    <message>
        <source>… waiting</source>
        <translation>… 等待中</translation>
    </message>
    <message>
        <source>✓ delivered</source>
        <translation>✓ 已送达</translation>
    </message>
    <message>
        <source>○ accepted</source>
        <translation>○ 已接受</translation>
    </message>
    <message>
        <source>○ no session</source>
        <translation>○ 无会话</translation>
    </message>
    <message>
        <source>✕ refused</source>
        <translation>✕ 被拒绝</translation>
    </message>
    <message>
        <source>✕ no answer</source>
        <translation>✕ 无应答</translation>
    </message>
    <message>
        <source>everybody</source>
        <translation>所有人</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>To</source>
        <translation>发给</translation>
    </message>
    <message>
        <source>Via</source>
        <translation>经由</translation>
    </message>
    <message>
        <source>Sessions</source>
        <translation>会话</translation>
    </message>
    <message>
        <source>Accepted, ms</source>
        <translation>接受，ms</translation>
    </message>
    <message>
        <source>Delivered, ms</source>
        <translation>送达，ms</translation>
    </message>
    <message>
        <source>Payload</source>
        <translation>内容</translation>
    </message>
</context>
<context>
    <name>StartView</name>
    <message>
        <source>See whether every push arrives</source>
        <extracomment>What the same thing is from a terminal; shown with a button that copies it.</extracomment>
        <translation>看看每一条推送是否到达</translation>
    </message>
    <message>
        <source>A push enters at one instance, the user’s socket is on another. Pushscope starts such a cluster, connects users through its gateway, pushes through every instance and measures each delivery.</source>
        <translation>推送从一个实例进入，用户的连接却在另一个实例上。Pushscope 启动这样一个集群，让用户经由网关连接，通过每个实例推送，并测量每一次送达。</translation>
    </message>
    <message>
        <source>The same from a terminal</source>
        <translation>在终端中做同样的事</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>This demo without a window</source>
        <translation>不开窗口运行这个演示</translation>
    </message>
    <message>
        <source>Every instance to every user, once; exit code for CI</source>
        <translation>每个实例推送给每个用户各一次；退出码供 CI 使用</translation>
    </message>
    <message>
        <source>A measured run with a report</source>
        <translation>一次带报告的测量运行</translation>
    </message>
    <message>
        <source>Start a cluster only</source>
        <translation>只启动集群</translation>
    </message>
    <message>
        <source>Gateway, discovery, broker and instances, without users and pushes. Connect users and push by hand, or point your own client at the gateway.</source>
        <translation>网关、服务发现、消息代理和实例，没有用户和推送。可以手动连接用户并推送，也可以让您自己的客户端连接网关。</translation>
    </message>
    <message>
        <source>Start the cluster</source>
        <translation>启动集群</translation>
    </message>
    <message>
        <source>The demo is running</source>
        <translation>演示正在运行</translation>
    </message>
    <message>
        <source>Start the demo</source>
        <translation>开始演示</translation>
    </message>
    <message>
        <source>Show the graphs</source>
        <translation>查看图表</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>回车键</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>正在启动</translation>
    </message>
    <message>
        <source>The demo</source>
        <translation>演示</translation>
    </message>
    <message>
        <source>The start failed</source>
        <translation>启动失败</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>{instances} instances behind a gateway, an embedded broker, {users} simulated users and {rate} pushes a second through all instances in turn. Takes about five seconds, on free ports of this machine only.</source>
        <translation>网关后的 {instances} 个实例、内置消息代理、{users} 个模拟用户，每秒 {rate} 条推送轮流经由所有实例。大约五秒即可就绪，只使用本机的空闲端口。</translation>
    </message>
</context>
<context>
    <name>StatusBar</name>
    <message>
        <source>sender lag {ms} ms</source>
        <extracomment>Above these the engine is no longer a trustworthy stopwatch. Snapshots come ten times a second; after this many seconds without one something is wrong.</extracomment>
        <translation>发送滞后 {ms} ms</translation>
    </message>
    <message>
        <source>updated {s} s ago</source>
        <translation>{s} 秒前更新</translation>
    </message>
    <message>
        <source>engine not running</source>
        <translation>引擎未运行</translation>
    </message>
    <message>
        <source>engine ready</source>
        <translation>引擎就绪</translation>
    </message>
    <message>
        <source>engine silent for {s} s</source>
        <translation>引擎已 {s} 秒没有响应</translation>
    </message>
    <message>
        <source>engine {cpu} % CPU, lag {lag} ms</source>
        <translation>引擎 CPU {cpu} %，滞后 {lag} ms</translation>
    </message>
    <message>
        <source>no instances</source>
        <translation>没有实例</translation>
    </message>
    <message>
        <source>{ready}/{total} instances</source>
        <translation>{ready}/{total} 个实例</translation>
    </message>
    <message>
        <source>no broker</source>
        <translation>没有消息代理</translation>
    </message>
    <message>
        <source>broker {kind}: {n} of {all} cut off</source>
        <translation>消息代理 {kind}：{all} 个实例中 {n} 个断开</translation>
    </message>
    <message>
        <source>broker {kind}</source>
        <translation>消息代理 {kind}</translation>
    </message>
</context>
<context>
    <name>TopBar</name>
    <message>
        <source>Environment</source>
        <translation>环境</translation>
    </message>
    <message>
        <source>Scenario</source>
        <translation>场景</translation>
    </message>
    <message>
        <source>Strategy</source>
        <translation>策略</translation>
    </message>
    <message>
        <source>Instances</source>
        <translation>实例</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>Pushes per second</source>
        <translation>每秒推送数</translation>
    </message>
    <message>
        <source>Connected by</source>
        <translation>连接方式</translation>
    </message>
    <message>
        <source>Counts from the next start on.</source>
        <translation>从下一次启动起生效。</translation>
    </message>
    <message>
        <source>A cluster of processes on this machine, on free ports of 127.0.0.1.</source>
        <translation>本机上的一组进程，使用 127.0.0.1 的空闲端口。</translation>
    </message>
    <message>
        <source>The Push view changes the rate of a run.</source>
        <translation>运行中的速率在“推送”视图里更改。</translation>
    </message>
    <message>
        <source>Menu</source>
        <translation>菜单</translation>
    </message>
    <message numerus="yes">
        <source>Local cluster, %n instance(s)</source>
        <translation>
            <numerusform>本地集群，%n 个实例</numerusform>
        </translation>
    </message>
    <message>
        <source>{users} users, {rate}/s</source>
        <translation>{users} 个用户，{rate}/秒</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop now</source>
        <translation>立即停止</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>正在停止…</translation>
    </message>
    <message>
        <source>Resume charts</source>
        <translation>继续图表</translation>
    </message>
    <message>
        <source>Pause charts</source>
        <translation>暂停图表</translation>
    </message>
    <message>
        <source>Space</source>
        <translation>空格键</translation>
    </message>
</context>
<context>
    <name>UsersModel</name>
    <message>
        <source>User</source>
        <extracomment>Shares of what the users connect with.</extracomment>
        <translation>用户</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>On</source>
        <translation>所在</translation>
    </message>
    <message>
        <source>Connected by</source>
        <translation>连接方式</translation>
    </message>
    <message>
        <source>Connected for</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>Reconnects</source>
        <translation>重连</translation>
    </message>
    <message>
        <source>Received</source>
        <translation>已接收</translation>
    </message>
    <message>
        <source>Close code</source>
        <translation>关闭码</translation>
    </message>
    <message>
        <source>Last error</source>
        <translation>最近的错误</translation>
    </message>
</context>
<context>
    <name>UsersView</name>
    <message>
        <source>Users per instance</source>
        <translation>每个实例上的用户</translation>
    </message>
    <message>
        <source>Filter by name, instance or state</source>
        <translation>按名称、实例或状态筛选</translation>
    </message>
    <message>
        <source>Filter users</source>
        <translation>筛选用户</translation>
    </message>
    <message>
        <source>How many users to add</source>
        <translation>要添加多少用户</translation>
    </message>
    <message>
        <source>Add users</source>
        <translation>添加用户</translation>
    </message>
    <message>
        <source>Connect so many more users (A)</source>
        <translation>再连接这么多用户 (A)</translation>
    </message>
    <message>
        <source>Disconnect</source>
        <translation>断开</translation>
    </message>
    <message>
        <source>Pushes to them count as offline, not as lost (D)</source>
        <translation>发给他们的推送计为离线，不计为丢失 (D)</translation>
    </message>
    <message>
        <source>Reconnect</source>
        <translation>重连</translation>
    </message>
    <message>
        <source>Connect again; a connected user is dropped and placed anew (R)</source>
        <translation>重新连接；已连接的用户会被断开并重新分配 (R)</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>No users yet. Add some to see where the gateway places them.</source>
        <translation>还没有用户。添加一些，看看网关把他们分配到哪里。</translation>
    </message>
    <message>
        <source>Start the demo or a cluster first; users connect through its gateway.</source>
        <translation>请先开始演示或启动集群；用户经由它的网关连接。</translation>
    </message>
    <message>
        <source>{n} of {all} shown</source>
        <translation>显示 {n} / {all}</translation>
    </message>
    <message numerus="yes">
        <source>%n selected</source>
        <translation>
            <numerusform>已选 %n 个</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Words</name>
    <message>
        <source>Idle</source>
        <extracomment>Under this name lupdate finds the texts.</extracomment>
        <translation>空闲</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>启动中</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>运行中</translation>
    </message>
    <message>
        <source>Draining</source>
        <translation>收尾中</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>正在停止</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Dead</source>
        <translation>已退出</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>连接中</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <translation>重连中</translation>
    </message>
    <message>
        <source>Disconnected</source>
        <translation>已断开</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Ports</source>
        <translation>端口</translation>
    </message>
    <message>
        <source>Broker</source>
        <translation>消息代理</translation>
    </message>
    <message>
        <source>Discovery</source>
        <translation>服务发现</translation>
    </message>
    <message>
        <source>Instances</source>
        <translation>实例</translation>
    </message>
    <message>
        <source>Gateway</source>
        <translation>网关</translation>
    </message>
    <message>
        <source>Users</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>accepted</source>
        <translation>已接受</translation>
    </message>
    <message>
        <source>to broker</source>
        <translation>已发往代理</translation>
    </message>
    <message>
        <source>from broker</source>
        <translation>已由代理送回</translation>
    </message>
    <message>
        <source>written to socket</source>
        <translation>已写入连接</translation>
    </message>
    <message>
        <source>no session</source>
        <translation>无会话</translation>
    </message>
    <message>
        <source>no subscriber</source>
        <translation>无订阅者</translation>
    </message>
    <message>
        <source>queued for socket</source>
        <translation>排队等待写入</translation>
    </message>
    <message>
        <source>cut off with the connection</source>
        <translation>随连接中断而丢弃</translation>
    </message>
    <message>
        <source>dropped for a slow client</source>
        <translation>因客户端读取过慢而丢弃</translation>
    </message>
    <message>
        <source>user offline</source>
        <translation>用户当时离线</translation>
    </message>
    <message>
        <source>not known: the push API has no ids</source>
        <translation>未知：推送接口没有编号</translation>
    </message>
    <message>
        <source>unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>not known to any instance</source>
        <translation>没有实例知道它</translation>
    </message>
    <message>
        <source>missing so far</source>
        <translation>目前未到</translation>
    </message>
    <message>
        <source>kill</source>
        <translation>强制结束</translation>
    </message>
    <message>
        <source>stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>out of service</source>
        <translation>停止接入</translation>
    </message>
    <message>
        <source>in service again</source>
        <translation>恢复接入</translation>
    </message>
    <message>
        <source>add</source>
        <translation>添加</translation>
    </message>
    <message>
        <source>remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>died</source>
        <translation>意外退出</translation>
    </message>
    <message>
        <source>no broker</source>
        <translation>没有消息代理</translation>
    </message>
    <message>
        <source>broker again</source>
        <translation>消息代理恢复</translation>
    </message>
    <message>
        <source>run starts</source>
        <translation>运行开始</translation>
    </message>
    <message>
        <source>run ends</source>
        <translation>运行结束</translation>
    </message>
    <message>
        <source>The engine ended unexpectedly</source>
        <translation>引擎意外结束</translation>
    </message>
    <message>
        <source>The engine could not be started</source>
        <translation>引擎无法启动</translation>
    </message>
    <message>
        <source>The window ran into an error</source>
        <translation>窗口出现错误</translation>
    </message>
    <message>
        <source>The cluster did not start</source>
        <translation>集群没有启动</translation>
    </message>
    <message>
        <source>A port is taken</source>
        <translation>端口被占用</translation>
    </message>
    <message>
        <source>The target does not answer</source>
        <translation>目标没有应答</translation>
    </message>
    <message>
        <source>The broker cannot be reached</source>
        <translation>无法连接消息代理</translation>
    </message>
    <message>
        <source>A connection was closed</source>
        <translation>连接已关闭</translation>
    </message>
    <message>
        <source>That is not possible now</source>
        <translation>现在无法这样做</translation>
    </message>
    <message>
        <source>The scenario is not usable</source>
        <translation>场景无法使用</translation>
    </message>
    <message>
        <source>A load generator ended unexpectedly</source>
        <translation>负载发生器意外结束</translation>
    </message>
    <message>
        <source>Some users could not be connected</source>
        <translation>部分用户无法连接</translation>
    </message>
    <message>
        <source>The server knows users by other names</source>
        <translation>服务器以别的名字认识这些用户</translation>
    </message>
    <message>
        <source>A planned fault could not be applied</source>
        <translation>计划的故障无法施加</translation>
    </message>
    <message>
        <source>The engine did not understand a command</source>
        <translation>引擎无法理解命令</translation>
    </message>
    <message>
        <source>The engine ran into an error</source>
        <translation>引擎出现错误</translation>
    </message>
    <message>
        <source>The load generator is saturated; latencies are not trustworthy</source>
        <translation>负载发生器已饱和；延迟数据不可信</translation>
    </message>
    <message>
        <source>embedded</source>
        <translation>内置</translation>
    </message>
    <message>
        <source>in memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Users are resolved across instances, the broker relays</source>
        <translation>跨实例解析用户，由消息代理中继</translation>
    </message>
    <message>
        <source>Every instance gets every push and checks its own sockets</source>
        <translation>每个实例收到每条推送，各自检查自己的连接</translation>
    </message>
    <message>
        <source>Local sockets only: the bug this program shows</source>
        <translation>只看本地连接：本程序要展示的缺陷</translation>
    </message>
    <message>
        <source>mixed transports</source>
        <translation>混合传输</translation>
    </message>
    <message>
        <source>; </source>
        <translation>；</translation>
    </message>
    <message>
        <source>{id} died</source>
        <translation>{id} 意外退出</translation>
    </message>
    <message>
        <source>resolved to {count}</source>
        <translation>解析到 {count} 个会话</translation>
    </message>
    <message>
        <source>{stage} on {id}</source>
        <translation>{stage}（{id}）</translation>
    </message>
</context>
</TS>
